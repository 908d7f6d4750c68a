/** What is forgotten is closed by the collector, with a warning; what is closed is not spoken of. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Runs a script with the collector at hand; prints each warning's code and message. */
async function warnings(script: string): Promise<string[]> {
  const prelude = `
    import { Kvm } from 'kvm-arm64/emulator';
    process.on('warning', ({ code, message }) => console.log(code, message));
    const collect = async () => {
      for (let i = 0; i < 20; i++) {
        globalThis.gc();
        await new Promise(resolve => setTimeout(resolve, 5));
      }
    };`;
  const args = ['--expose-gc', '--no-warnings', '--input-type=module', '-e', prelude + script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  return stdout.split('\n').filter(line => line !== '');
}

const message = (what: string) =>
  `KVM_ARM64_LEAK A ${what} was garbage collected without close(); its descriptor has been closed now`;

describe('what a program closes', () => {
  it('a thousand VMs with four running vCPUs each leave nothing on the heap', async () => {
    const script = `
      const kvm = Kvm.open();
      const heaps = [];
      for (let n = 1; n <= 1000; n++) {
        const vm = kvm.createVm();
        vm.addMemory({ guestPhysAddr: 0x40000000n, size: 65536 }).bytes.set([0x20, 0, 0x40, 0xb9]); // ldr w0, [x1]
        const vcpus = [0, 1, 2, 3].map(id => vm.createVcpu(id));
        for (const vcpu of vcpus) vcpu.init(), vcpu.setOneReg('PC', 0x40000000n);
        const exits = await Promise.all(vcpus.map(vcpu => vcpu.run()));
        if (exits.some(({ reason }) => reason !== 'MMIO')) throw new Error('not MMIO');
        vm.close();
        if (n !== 200 && n !== 1000) continue;
        await collect();
        heaps.push(process.memoryUsage().heapUsed);
      }
      console.log(heaps[1] - heaps[0]);
      kvm.close();`;
    const [growth] = await warnings(script);
    // A VM that stayed would be 250 KB.
    expect(Number(growth)).toBeLessThan(2e6);
  }, 60_000);
});

describe('what a program forgets', () => {
  it('a vCPU and a VM are closed by the collector, while the Kvm lives on', async () => {
    const script = `
      const kvm = Kvm.open();
      (() => { kvm.createVm().createVcpu(0).init(); })();
      await collect();
      kvm.close();`;
    expect((await warnings(script)).sort()).toEqual([message('Vcpu'), message('Vm')]);
  });

  it('what was closed, or belongs to what was closed, is not spoken of', async () => {
    const script = `
      (() => {
        const kvm = Kvm.open();
        kvm.createVm().createVcpu(0);
        kvm.close();
      })();
      await collect();`;
    expect(await warnings(script)).toEqual([]);
  });

  it('a vCPU keeps its VM, and the VM its Kvm', async () => {
    const script = `
      const vcpu = Kvm.open().createVm().createVcpu(0);
      await collect();
      vcpu.init();
      console.log(vcpu.vm.kvm.closed, vcpu.psciVersion);
      vcpu.vm.kvm.close();`;
    expect(await warnings(script)).toEqual(['false 1.1']);
  });
});
