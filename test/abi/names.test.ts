import { describe, expect, test } from 'vitest';
import { capabilityMeaning, capabilityName, capabilityNumber, KVM_CAP } from '#lib/abi/capabilities.js';
import { ERRNO, errnoMessage, errnoName } from '#lib/abi/errno.js';
import { HATCH_REFUSES, ioctlName, ioctlSize, KVM_IOCTL } from '#lib/abi/ioctls.js';
import { nearest } from '#lib/abi/nearest.js';
import { featureBit, featureName, KVM_ARM_VCPU, VcpuFeature } from '#lib/abi/vcpu-features.js';

describe('errno', () => {
  test.each([
    [1, 'EPERM', 'operation not permitted'],
    [2, 'ENOENT', 'no such file or directory'],
    [7, 'E2BIG', 'argument list too long'],
    [8, 'ENOEXEC', 'exec format error'],
    [22, 'EINVAL', 'invalid argument'],
    [25, 'ENOTTY', 'inappropriate ioctl for device'],
    [133, 'EHWPOISON', 'memory page has hardware error'],
    [41, 'E41', 'unknown error 41'],
    [512, 'E512', 'unknown error 512'],
  ])('%i is %s: %s', (number, name, message) => {
    expect(errnoName(number)).toBe(name);
    expect(errnoMessage(number)).toBe(message);
  });

  test('is complete: 133 numbers but for the two that Linux does not use', () => {
    expect(Object.keys(ERRNO)).toHaveLength(131);
    expect(ERRNO.EAGAIN).toBe(11);
  });
});

describe('ioctls', () => {
  test.each([
    [0xae00, 'system', 'KVM_GET_API_VERSION'],
    [0x4010aeab, 'vcpu', 'KVM_GET_ONE_REG'],
    [0x4010aeab, 'vm', 'KVM_ARM_SET_DEVICE_ADDR'],
    [0xc008aeb0, 'vcpu', 'KVM_GET_REG_LIST'],
    [0xaeff, 'vm', '0xaeff'],
  ] as const)('%i on a %s descriptor is %s', (request, fd, name) => {
    expect(ioctlName(request, fd)).toBe(name);
  });

  test('only the known pair shares a number', () => {
    const numbers = Object.values(KVM_IOCTL);
    expect(numbers.length - new Set(numbers).size).toBe(1);
  });

  test('the size of the struct is in the number', () => {
    expect(ioctlSize(KVM_IOCTL.KVM_ARM_VCPU_INIT)).toBe(32);
    expect(ioctlSize(KVM_IOCTL.KVM_RUN)).toBe(0);
  });

  test('the hatch refuses what holds pointers, blocks or makes a descriptor', () => {
    expect(Object.keys(HATCH_REFUSES).sort()).toEqual([
      'KVM_ARM_GET_REG_WRITABLE_MASKS',
      'KVM_ARM_MTE_COPY_TAGS',
      'KVM_CLEAR_DIRTY_LOG',
      'KVM_CREATE_DEVICE',
      'KVM_CREATE_GUEST_MEMFD',
      'KVM_CREATE_VCPU',
      'KVM_CREATE_VM',
      'KVM_GET_DEVICE_ATTR',
      'KVM_GET_DIRTY_LOG',
      'KVM_GET_ONE_REG',
      'KVM_GET_REG_LIST',
      'KVM_GET_STATS_FD',
      'KVM_HAS_DEVICE_ATTR',
      'KVM_RUN',
      'KVM_SET_DEVICE_ATTR',
      'KVM_SET_GSI_ROUTING',
      'KVM_SET_ONE_REG',
      'KVM_SET_SIGNAL_MASK',
      'KVM_SET_USER_MEMORY_REGION',
      'KVM_SET_USER_MEMORY_REGION2',
    ]);
  });
});

describe('capabilities', () => {
  test.each([
    ['ARM_PSCI_0_2', 102],
    ['KVM_CAP_ARM_PSCI_0_2', 102],
    ['ARM_VM_IPA_SIZE', 165],
    ['KVM_CAP_IRQCHIP', 0],
    [12345, 12345],
  ] as const)('%s is %i', (capability, number) => {
    expect(capabilityNumber(capability)).toBe(number);
  });

  test('by number', () => {
    expect(capabilityName(216)).toBe('KVM_CAP_ARM_SYSTEM_SUSPEND');
    expect(capabilityName(1)).toBeUndefined();
    expect(capabilityMeaning(216)).toContain('SYSTEM_SUSPEND');
    for (const [name, number] of Object.entries(KVM_CAP)) {
      expect(capabilityName(number)).toBe(name);
      expect(capabilityMeaning(number)).toBeTruthy();
    }
  });

  test.each([
    ['ARM_PSCI_02', 'did you mean ARM_PSCI_0_2?'],
    ['KVM_CAP_ARM_SVEE', 'did you mean ARM_SVE?'],
    ['toString', 'got "toString"'],
    ['KVM_CAP_', 'got "KVM_CAP_"'],
  ])('%s is refused', (name, message) => {
    expect(() => capabilityNumber(name as 'ONE_REG')).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining(message),
      }),
    );
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 32])('%d is out of range', number => {
    expect(() => capabilityNumber(number)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  });

  test.each([null, undefined, 5n, {}])('%s is of no use', value => {
    expect(() => capabilityNumber(value as unknown as number)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });
});

describe('vCPU features', () => {
  test('by short name, full name, constant and number', () => {
    expect(featureBit('PSCI_0_2')).toBe(2);
    expect(featureBit('KVM_ARM_VCPU_PSCI_0_2')).toBe(2);
    expect(featureBit(VcpuFeature.PSCI_0_2)).toBe(2);
    expect(featureBit(200)).toBe(200);
    expect(featureName(2)).toBe('PSCI_0_2');
    expect(featureName(10)).toBeUndefined();
  });

  test('names and bits are inverse', () => {
    for (const [name, bit] of Object.entries(KVM_ARM_VCPU)) {
      expect(`KVM_ARM_VCPU_${featureName(bit)}`).toBe(name);
    }
  });

  test('refuses others', () => {
    expect(() => featureBit('PSCI_0_3' as 'SVE')).toThrow(/did you mean PSCI_0_2\?/);
    expect(() => featureBit(224)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(() => featureBit(null as unknown as number)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });
});

describe('nearest', () => {
  const words = ['info', 'doctor', 'psci', 'regs', 'linux-4.14', 'linux-6.12-max', 'linux-6.1-max', '2'];
  test.each([
    ['inof', 'info'],
    ['doc', 'doctor'],
    ['do', undefined],
    ['linux-6.1', 'linux-6.1-max'],
    ['Linux-6.12', 'linux-6.12-max'],
    ['4', undefined],
    ['-1', undefined],
    ['docotr', 'doctor'],
    ['PSCI', 'psci'],
    ['pcsi', 'psci'],
    ['reg', 'regs'],
    ['', undefined],
    ['x'.repeat(100_000), undefined],
  ])('%.10s: %s', (word, candidate) => {
    expect(nearest(word, words)).toBe(candidate);
  });

  test('the first of equals', () => {
    expect(nearest('bat', ['cat', 'hat'])).toBe('cat');
  });
});
