// The system calls that are made without a function of libc, by number; <asm/unistd.h> of each architecture.

export type SystemCallName = keyof typeof x64;
export type SystemCallNumbers = Readonly<Record<SystemCallName, number>>;

const x64 = {
  close: 3,
  rt_sigaction: 13,
  rt_sigprocmask: 14,
  ioctl: 16,
  socket: 41,
  sendto: 44,
  bind: 49,
  listen: 50,
  setsockopt: 54,
  getsockopt: 55,
  clone: 56,
  execve: 59,
  wait4: 61,
  fcntl: 72,
  flock: 73,
  setgroups: 116,
  setresuid: 117,
  setresgid: 119,
  capget: 125,
  capset: 126,
  prctl: 157,
  mount: 165,
  umount2: 166,
  exit_group: 231,
  openat: 257,
  unshare: 272,
  dup3: 292,
  prlimit64: 302,
  process_vm_readv: 310,
  seccomp: 317,
  close_range: 436,
  mount_setattr: 442,
  landlock_create_ruleset: 444,
  landlock_add_rule: 445,
  landlock_restrict_self: 446,
} as const;

const arm64: SystemCallNumbers = {
  dup3: 24,
  fcntl: 25,
  ioctl: 29,
  flock: 32,
  umount2: 39,
  mount: 40,
  openat: 56,
  close: 57,
  capget: 90,
  capset: 91,
  exit_group: 94,
  unshare: 97,
  rt_sigaction: 134,
  rt_sigprocmask: 135,
  setresuid: 147,
  setresgid: 149,
  setgroups: 159,
  prctl: 167,
  socket: 198,
  bind: 200,
  listen: 201,
  sendto: 206,
  setsockopt: 208,
  getsockopt: 209,
  clone: 220,
  execve: 221,
  wait4: 260,
  prlimit64: 261,
  process_vm_readv: 270,
  seccomp: 277,
  close_range: 436,
  mount_setattr: 442,
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
