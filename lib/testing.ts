/**
 * `kvm-arm64/testing`: one suite of tests on many hosts: emulated ones, real kernels in the lab, this machine's KVM.
 *
 * @packageDocumentation
 */
export type { LabHost, TestHost } from './testing/hosts.ts';
export { type TestOptions, type TestRunner, testOnHosts } from './testing/on-hosts.ts';
export type { Case, CaseContext, CaseOptions, Hook, Suite, SuiteTools } from './testing/suite.ts';
