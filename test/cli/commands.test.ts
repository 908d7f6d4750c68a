import { describe, expect, test } from 'vitest';
import { COMMANDS } from '#lib/cli/commands.js';
import { cli, emulatedJson, wordsOf } from './support.ts';

const HOST = 'linux-6.12-neoverse-n1';
const FIRST_LINE = `Backend: emulated (${HOST})\n`;

describe('info', () => {
  test('tells what the host can do', async () => {
    const { code, json } = await emulatedJson('info');
    expect(code).toBe(0);
    expect(json).toMatchObject({
      backend: 'emulated',
      host: HOST,
      reason: 'Asked for: KVM_ARM64_BACKEND=emulated.',
      machine: { platform: process.platform, arch: process.arch, node: process.versions.node },
      recorded: { machine: 'neoverse-n1 (QEMU TCG)', kernel: expect.stringMatching(/^6\.12\./) },
      apiVersion: 12,
      vcpuMmapSize: 8192,
      ipaBits: 48,
      maxVcpus: 512,
      psciVersions: ['0.2', '1.0', '1.1'],
      features: ['PSCI_0_2', 'PMU_V3'],
    });
    // Number 131 is EINVAL to /dev/kvm, and an answer from a VM.
    expect(json.capabilities).toMatchObject({
      KVM_CAP_ARM_PSCI_0_2: 1,
      KVM_CAP_ARM_VM_IPA_SIZE: 48,
      KVM_CAP_ARM_SVE: 0,
      KVM_CAP_MSI_DEVID: 0,
    });
  });

  test('names the capabilities that are there, with their meaning, and then those that are not', async () => {
    const { stdout } = await cli('info --backend emulated');
    expect(stdout.startsWith(FIRST_LINE)).toBe(true);
    expect(stdout).toMatch(/^KVM_CAP_ARM_PSCI_0_2 {2,}1 {2,}PSCI 0\.2 or later$/m);
    expect(stdout).toMatch(/^Without: .*\bARM_SVE\b/m);
    expect(stdout).toMatch(/^PSCI versions {2,}0\.2, 1\.0, 1\.1$/m);
  });

  test('says what a modelled host is made from, and what it has where its capabilities do not tell', async () => {
    const { stdout } = await cli('info --host linux-4.14');
    expect(stdout).toMatch(/^Modelled after +linux-5\.10-cortex-a57, as Linux 4\.14$/m);
    expect(stdout).not.toContain('Recorded');
    expect(stdout).toMatch(/^PSCI versions +no choice$/m);
    expect(stdout).toMatch(/^vCPUs in a VM +up to 8$/m); // VGIC_V2_MAX_CPUS; MAX_VCPUS says 255
    expect(stdout).toMatch(/^Features with a capability +EL1_32BIT, PSCI_0_2, PMU_V3$/m);
  });

  test.each([
    [`--host ${HOST}`, '', 'Asked for: this host.'],
    ['--backend emulated', '', "Asked for: backend 'emulated'."],
    ['', 'emulated', 'Asked for: KVM_ARM64_BACKEND=emulated.'],
  ])('says who asked for the backend: %s %s', async (options, override, reason) => {
    const { stdout } = await cli(`info --json ${options}`, { KVM_ARM64_BACKEND: override });
    expect(JSON.parse(stdout)).toMatchObject({ backend: 'emulated', reason });
  });
});

describe('psci', () => {
  test('shows the versions', async () => {
    expect(await emulatedJson('psci')).toEqual({
      code: 0,
      stderr: '',
      json: {
        backend: 'emulated',
        host: HOST,
        supported: ['0.2', '1.0', '1.1'],
        default: '1.1',
        withoutFeature: '0.1',
      },
    });
  });

  test.each([
    ['linux-4.14', { supported: [], default: null, withoutFeature: null }],
    ['psci-firmware-register-v3', { supported: ['0.2', '1.0'], default: '1.0', withoutFeature: null }],
    ['linux-4.17-arm', { supported: ['0.2', '1.0'], default: '1.0', withoutFeature: '0.1' }],
  ])('has null for what the kernel of %s does not tell', async (host, versions) => {
    const { code, json } = await emulatedJson(`psci --host ${host}`);
    expect(code).toBe(0);
    expect(json).toEqual({ backend: 'emulated', host, ...versions });
  });

  test('set shows that the version holds for the whole VM, and that init leaves it', async () => {
    const { code, json } = await emulatedJson('psci set 1.0');
    expect(code).toBe(0);
    expect(json.steps).toEqual([
      { step: 'init', versions: ['1.1', '1.1'] },
      { step: 'set', versions: ['1.0', '1.0'] },
      { step: 'init again', versions: ['1.0', '1.0'] },
    ]);
    expect((await cli('psci set 1.0 --backend emulated')).stdout).toBe(`${FIRST_LINE}
AFTER              VCPU 0  VCPU 1
init               1.1     1.1
set 1.0 on vCPU 0  1.0     1.0
init again         1.0     1.0

The scratch VM is closed: nothing remains of this.
`);
  });

  const REFUSAL =
    'EINVAL: invalid argument, ioctl KVM_SET_ONE_REG (KVM_REG_ARM_PSCI_VERSION). This host accepts 0.2, 1.0, 1.1';

  test('set of a version that the host refuses', async () => {
    expect(await cli('psci set 1.7 --backend emulated')).toEqual({
      code: 1,
      stdout: FIRST_LINE,
      stderr: `kvm-arm64: ${REFUSAL}\n`,
    });
  });

  test('set of a version that the host refuses, as JSON', async () => {
    expect(await emulatedJson('psci set 1.7')).toEqual({
      code: 1,
      stderr: `kvm-arm64: ${REFUSAL}\n`,
      json: {
        backend: 'emulated',
        host: HOST,
        error: {
          code: 'EINVAL',
          message: REFUSAL,
          hint: 'This host accepts 0.2, 1.0, 1.1',
          errno: -22,
          syscall: 'ioctl',
          request: 'KVM_SET_ONE_REG',
          register: { id: '0x6030000000140000', name: 'KVM_REG_ARM_PSCI_VERSION' },
        },
      },
    });
  });
});

describe('regs', () => {
  test('lists all registers of a new vCPU', async () => {
    const { code, json } = await emulatedJson('regs');
    expect(code).toBe(0);
    expect(json.features).toEqual(['PSCI_0_2']);
    expect(json.listed).toBe(259);
    expect(json.registers).toHaveLength(259);
    expect(json.registers).toContainEqual({
      name: 'SCTLR_EL1',
      id: '0x603000000013c080',
      bits: 64,
      value: '0xc50078',
    });
    expect(json.registers).toContainEqual({
      name: 'KVM_REG_ARM_PSCI_VERSION',
      id: '0x6030000000140000',
      bits: 64,
      value: '0x10001',
    });
    expect(json.registers).toContainEqual({ name: 'V0', id: '0x6040000000100054', bits: 128, value: '0x0' });
    expect(json.registers).toContainEqual({ name: 'FPCR', id: '0x60200000001000d5', bits: 32, value: '0x0' });
  });

  test('aligns the table', async () => {
    expect((await cli('regs --backend emulated --filter ID_AA64MMFR*_el1')).stdout).toMatch(
      `${FIRST_LINE}
5 of 259 registers, vCPU with PSCI_0_2

NAME              ID                  BITS  VALUE
ID_AA64MMFR0_EL1  0x603000000013c038  64    0x`,
    );
    const { stdout } = await cli('regs --backend emulated --filter S*_EL1');
    expect(stdout).toContain(`
SCTLR_EL1  0x603000000013c080  64    0xc50078
`);
  });

  test.each([
    ['sctlr', ['SCTLR_EL1']],
    ['X1', ['X1', 'X10', 'X11', 'X12', 'X13', 'X14', 'X15', 'X16', 'X17', 'X18', 'X19']],
    ['PC', ['PC', 'FPCR']],
    ['id_ccsidr(0)', ['KVM_REG_ARM_DEMUX_ID_CCSIDR(0)']],
    ['*_psci_*', ['KVM_REG_ARM_PSCI_VERSION']],
    ['X*1', ['X1', 'X11', 'X21']],
    ['[', []],
  ])('--filter %s', async (filter, names) => {
    const { code, json } = await emulatedJson(`regs --filter ${filter}`);
    expect(code).toBe(0);
    expect(json.registers.map(({ name }: { name: string }) => name)).toEqual(names);
  });

  test('--filter of no register names the nearest', async () => {
    const { code, stdout } = await cli('regs --filter SCTLR_EL9 --backend emulated');
    expect(code).toBe(0);
    expect(stdout).toContain('0 of 259 registers (did you mean SCTLR_EL1?)');
  });

  test('--features, by name and by bit', async () => {
    const { json } = await emulatedJson('regs --features 2,PMU_V3 --filter PMCR_EL0');
    expect(json.features).toEqual(['PSCI_0_2', 'PMU_V3']);
    expect(json.registers).toMatchObject([{ name: 'PMCR_EL0', id: '0x603000000013dce0', bits: 64 }]);
    expect((await emulatedJson('regs --filter PMCR_EL0')).json.registers).toEqual([]);
  });

  test('--features= for none', async () => {
    const { json } = await emulatedJson('regs --features= --filter psci');
    expect(json.features).toEqual([]);
    expect(json.registers).toMatchObject([{ name: 'KVM_REG_ARM_PSCI_VERSION', value: '0x1' }]);
  });

  test('--features of 32-bit arm', async () => {
    const { json } = await emulatedJson(
      'regs --host linux-4.17-arm --features POWER_OFF,1 --filter arm:kvm_reg_arm_psci_version',
    );
    expect(json.features).toEqual(['POWER_OFF', 'PSCI_0_2']);
    expect(json.registers).toMatchObject([{ id: '0x4030000000140000', value: '0x10000' }]);
  });

  test.each(['FORCE_PSCI_0_2', 'KVM_ARM_VCPU_FORCE_PSCI_0_2', '4'])(
    '--features of a proposal, on its host: %s',
    async name => {
      const { json } = await emulatedJson(`regs --host psci-feature-bit --features 2,${name}`);
      expect(json.features).toEqual(['PSCI_0_2', 'FORCE_PSCI_0_2']);
    },
  );

  test('--features of a proposal, elsewhere', async () => {
    const { code, json } = await emulatedJson('regs --features FORCE_PSCI_0_2');
    expect([code, json.error.code]).toEqual([2, 'ERR_INVALID_ARG_VALUE']);
  });

  test('--features that the host lacks', async () => {
    const { code, json } = await emulatedJson('regs --features PSCI_0_2,SVE');
    expect(code).toBe(1);
    expect(json.error).toMatchObject({ code: 'EINVAL', request: 'KVM_ARM_VCPU_INIT' });
  });
});

test.each(
  COMMANDS.flatMap(({ name, examples, json }) =>
    // They fetch, or need a real KVM: the lab's tests look at what they say.
    json === undefined || ['lab setup', 'record'].includes(name) ? [] : [[name, examples, json] as const],
  ),
)('the JSON of %s has the fields that its help names', async (_, examples, fields) => {
  const [example = ''] = examples;
  const { json } = await emulatedJson(wordsOf(example));
  expect(Object.keys(json)).toEqual(['backend', 'host', ...Object.keys(fields)]);
});
