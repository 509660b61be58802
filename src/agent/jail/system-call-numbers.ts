// The system calls that the jail makes or refuses, by number; <asm/unistd.h> of each architecture.

export type SystemCallName = keyof typeof x64;
export type SystemCallNumbers = Readonly<Record<SystemCallName, number>>;

const x64 = {
  close: 3,
  rt_sigaction: 13,
  rt_sigprocmask: 14,
  ioctl: 16,
  clone: 56,
  execve: 59,
  wait4: 61,
  fcntl: 72,
  ptrace: 101,
  setgroups: 116,
  setresuid: 117,
  setresgid: 119,
  prctl: 157,
  add_key: 248,
  request_key: 249,
  keyctl: 250,
  openat: 257,
  unshare: 272,
  perf_event_open: 298,
  prlimit64: 302,
  open_by_handle_at: 304,
  setns: 308,
  process_vm_readv: 310,
  process_vm_writev: 311,
  kcmp: 312,
  seccomp: 317,
  bpf: 321,
  userfaultfd: 323,
  io_uring_setup: 425,
  clone3: 435,
  close_range: 436,
  pidfd_getfd: 438,
  process_madvise: 440,
  landlock_create_ruleset: 444,
  landlock_add_rule: 445,
  landlock_restrict_self: 446,
} as const;

const arm64: SystemCallNumbers = {
  fcntl: 25,
  ioctl: 29,
  openat: 56,
  close: 57,
  unshare: 97,
  ptrace: 117,
  rt_sigaction: 134,
  rt_sigprocmask: 135,
  setresuid: 147,
  setresgid: 149,
  setgroups: 159,
  prctl: 167,
  add_key: 217,
  request_key: 218,
  keyctl: 219,
  clone: 220,
  execve: 221,
  perf_event_open: 241,
  wait4: 260,
  prlimit64: 261,
  open_by_handle_at: 265,
  setns: 268,
  process_vm_readv: 270,
  process_vm_writev: 271,
  kcmp: 272,
  seccomp: 277,
  bpf: 280,
  userfaultfd: 282,
  io_uring_setup: 425,
  clone3: 435,
  close_range: 436,
  pidfd_getfd: 438,
  process_madvise: 440,
  landlock_create_ruleset: 444,
  landlock_add_rule: 445,
  landlock_restrict_self: 446,
};

/** The numbers of this architecture; throws an Error where the jail has no table for it. */
export function systemCallNumbers(architecture: string = process.arch): SystemCallNumbers {
  if (architecture === 'x64') return x64;
  if (architecture === 'arm64') return arm64;
  throw new Error(`the jail knows x64 and arm64, not ${architecture}`);
}
