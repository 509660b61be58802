// The attacks of the hardening suite, one word each: attack WORD PID [NEEDLE …], or attack WORD [NEEDLE READY] -- COMMAND …
// Exit code 0: the attack worked. 1: it was denied. 2: it could not be tried. One line says what happened.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <time.h>
#include <unistd.h>

enum { WORKED = 0, DENIED = 1, UNTRIED = 2 };

// reach.c
int reach(const char *word, int pid, int number);
// inside.c; -1 if the word is none of its own.
int inside(const char *word, int pid, int number);
int hidden(const char *word, const char *file, const char *secret);

static int denied(const char *what) {
  printf("denied: %s: %s\n", what, strerrorname_np(errno));
  return DENIED;
}

static int untried(const char *what) {
  printf("untried: %s: %s\n", what, strerrorname_np(errno));
  return UNTRIED;
}

static FILE *open_proc(int pid, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return fopen(path, "re");
}

static int open_proc_fd(int pid, const char *name, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return open(path, flags | O_CLOEXEC);
}

static int hits_in(const char *bytes, size_t length, const char *needle) {
  size_t width = strlen(needle);
  char wide[512];
  for (size_t i = 0; i < width && i < 256; i++) { wide[2 * i] = needle[i]; wide[2 * i + 1] = 0; }
  int hits = 0;
  for (const char *at = bytes; (at = memmem(at, length - (at - bytes), needle, width)) != NULL; at++) hits++;
  for (const char *at = bytes; (at = memmem(at, length - (at - bytes), wide, 2 * width)) != NULL; at++) hits++;
  return hits;
}

// Runtimes reserve much more than they use: where the page table can be read, what has no page in memory or swap is passed over.
static int pages = -1;
static int is_used(uint64_t at, size_t length) {
  // As many at a time as are 512 MB of memory.
  static uint64_t entries[1 << 17], first, count;
  if (pages < 0) return 1;
  uint64_t from = at / 4096, to = (at + length + 4095) / 4096;
  if (count == 0 || from < first || to > first + count) {
    ssize_t got = pread(pages, entries, sizeof entries, from * 8);
    first = from;
    count = got > 0 ? got / 8 : 0;
    if (to > first + count) return 1;
  }
  for (uint64_t page = from; page < to; page++) if (entries[page - first] >> 62) return 1;
  return 0;
}

// Finds the needle, as bytes and as UTF-16, in all writable mappings. -1 if nothing at all could be read.
typedef ssize_t (*reader)(int handle, char *to, size_t length, uint64_t address);
static int scan(FILE *maps, int handle, reader read_at, const char *needle) {
  size_t step = 1 << 20, overlap = 1024;
  char *buffer = malloc(step + overlap), line[512];
  int hits = 0, readable = 0;
  while (fgets(line, sizeof line, maps)) {
    uint64_t from, to;
    char rights[8];
    if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || rights[0] != 'r' || rights[1] != 'w') continue;
    for (uint64_t at = from; at < to; at += step) {
      size_t want = to - at < step + overlap ? to - at : step + overlap;
      if (!is_used(at, want)) continue;
      ssize_t got = read_at(handle, buffer, want, at);
      if (got <= 0) continue;
      readable = 1;
      hits += hits_in(buffer, got, needle);
    }
  }
  free(buffer);
  return readable ? hits : -1;
}

static ssize_t read_mem(int fd, char *to, size_t length, uint64_t at) { return pread(fd, to, length, at); }

static ssize_t read_vm(int pid, char *to, size_t length, uint64_t at) {
  struct iovec here = {to, length}, there = {(void *)at, length};
  return process_vm_readv(pid, &here, 1, &there, 1, 0);
}

static int told(int hits) {
  if (hits < 0) { printf("denied: not a byte could be read\n"); return DENIED; }
  printf("%s: %d copies of the secret\n", hits > 0 ? "stolen" : "read, but nothing there", hits);
  return hits > 0 ? WORKED : DENIED;
}

static int attack_mem(int pid, const char *needle) {
  int fd = open_proc_fd(pid, "mem", O_RDONLY);
  if (fd < 0) return denied("open mem");
  FILE *maps = open_proc(pid, "maps");
  if (!maps) return denied("open maps");
  pages = open_proc_fd(pid, "pagemap", O_RDONLY);
  return told(scan(maps, fd, read_mem, needle));
}

static int attack_vm(int pid, const char *needle) {
  char byte;
  // The right is checked before the address.
  if (read_vm(pid, &byte, 1, 0x10000) < 0 && errno == EPERM) return denied("process_vm_readv");
  FILE *maps = open_proc(pid, "maps");
  if (!maps) return denied("open maps");
  pages = open_proc_fd(pid, "pagemap", O_RDONLY);
  return told(scan(maps, pid, read_vm, needle));
}

static int attack_ptrace(int pid) {
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
    ptrace(PTRACE_INTERRUPT, pid, 0, 0);
    waitpid(pid, NULL, __WALL);
    ptrace(PTRACE_DETACH, pid, 0, 0);
    printf("worked: attached\n");
    return WORKED;
  }
  int seize = errno;
  if (ptrace(PTRACE_ATTACH, pid, 0, 0) == 0) { printf("worked: attached\n"); return WORKED; }
  errno = seize;
  return denied("PTRACE_SEIZE and PTRACE_ATTACH");
}

static int attack_read(int pid, const char *name) {
  char bytes[4096];
  int fd = open_proc_fd(pid, name, O_RDONLY);
  if (fd < 0) return denied(name);
  ssize_t got = read(fd, bytes, sizeof bytes);
  if (got <= 0) return denied(name);
  printf("worked: %zd bytes of %s\n", got, name);
  return WORKED;
}

// Every descriptor is opened again; a deleted file can be read that way.
static int attack_fd(int pid, const char *needle) {
  char path[320], bytes[8192];
  snprintf(path, sizeof path, "/proc/%d/fd", pid);
  DIR *folder = opendir(path);
  if (!folder) return denied("list of descriptors");
  for (struct dirent *entry; (entry = readdir(folder));) {
    snprintf(path, sizeof path, "/proc/%d/fd/%s", pid, entry->d_name);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    ssize_t got = pread(fd, bytes, sizeof bytes, 0);
    close(fd);
    if (got > 0 && hits_in(bytes, got, needle)) { printf("stolen: by descriptor %s\n", entry->d_name); return WORKED; }
  }
  printf("denied: no descriptor gives the secret\n");
  return DENIED;
}

static int attack_getfd(int pid) {
  int pidfd = syscall(SYS_pidfd_open, pid, 0);
  if (pidfd < 0) return denied("pidfd_open");
  errno = EBADF;
  for (int fd = 0; fd < 64; fd++) {
    if (syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0) { printf("worked: took descriptor %d\n", fd); return WORKED; }
    if (errno != EBADF) break;
  }
  return denied("pidfd_getfd");
}

static int attack_perf(int pid) {
  struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_TASK_CLOCK,
    .sample_period = 100000, .sample_type = PERF_SAMPLE_STACK_USER | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_IP,
    .sample_stack_user = 16384, .sample_regs_user = 1, .exclude_kernel = 1, .exclude_hv = 1};
  if (syscall(SYS_perf_event_open, &attr, pid, -1, -1, 0) < 0) return denied("perf_event_open");
  printf("worked: samples of the stack\n");
  return WORKED;
}

static int attack_kcmp(int pid) {
  if (syscall(SYS_kcmp, getpid(), pid, 1 /* KCMP_VM */, 0, 0) < 0) return denied("kcmp");
  printf("worked: compared\n");
  return WORKED;
}

static int attack_prlimit(int pid, int resource, uint64_t soft, uint64_t hard) {
  struct rlimit limit = {soft, hard};
  if (prlimit(pid, resource, &limit, NULL) < 0) return denied("prlimit");
  printf("worked: limit set\n");
  return WORKED;
}

static int attack_signal(int pid, int signal) {
  if (kill(pid, signal) < 0) return denied("kill");
  printf("worked: signal %d sent\n", signal);
  return WORKED;
}

static int attack_userns(void) {
  if (unshare(CLONE_NEWUSER) < 0) return denied("unshare(CLONE_NEWUSER)");
  printf("worked: in a user namespace of its own\n");
  return WORKED;
}

static void nap(void) { nanosleep(&(struct timespec){0, 50000}, NULL); }

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void comm_of(int pid, char *to) {
  memset(to, 0, 32);
  int fd = open_proc_fd(pid, "comm", O_RDONLY);
  if (fd < 0) return;
  if (read(fd, to, 31) < 0) to[0] = 0;
  close(fd);
}

// Starts the command, opens its memory as early as after each exec, and reads through what was opened once READY exists.
static int attack_early(const char *needle, const char *ready, char **command) {
  pid_t child = fork();
  if (child == 0) { execvp(command[0], command); _exit(127); }
  int mem = -1;
  FILE *maps = NULL;
  char comm[32], last[32] = "";
  for (double end = now() + 15; now() < end && access(ready, F_OK) != 0; nap()) {
    comm_of(child, comm);
    if (strcmp(comm, last) == 0) continue;
    strcpy(last, comm);
    // Of a shell there is nothing to keep: the launcher becomes the runtime by exec, with new memory.
    int fd = open_proc_fd(child, "mem", O_RDONLY);
    FILE *file = open_proc(child, "maps");
    if (fd < 0 || !file) { if (fd >= 0) close(fd); if (file) fclose(file); continue; }
    mem = fd;
    maps = file;
  }
  int here = access(ready, F_OK) == 0, result;
  if (!here) { errno = ETIMEDOUT; result = untried("the command was not ready"); }
  else if (mem < 0) { errno = EACCES; result = denied("early open of mem"); }
  else result = told(scan(maps, mem, read_mem, needle));
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  return result;
}

// Starts the command under a tracer that stays. Exit code of the command is told; 0 only if it served until READY.
static int attack_traced(const char *ready, char **command) {
  pid_t child = fork();
  if (child == 0) { ptrace(PTRACE_TRACEME, 0, 0, 0); raise(SIGSTOP); execvp(command[0], command); _exit(127); }
  int status;
  waitpid(child, &status, 0);
  ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
  ptrace(PTRACE_CONT, child, 0, 0);
  for (double end = now() + 15; now() < end; nap()) {
    if (access(ready, F_OK) == 0) { kill(child, SIGKILL); printf("worked: it runs under a tracer\n"); return WORKED; }
    pid_t pid = waitpid(-1, &status, __WALL | WNOHANG);
    if (pid <= 0) continue;
    if (pid == child && (WIFEXITED(status) || WIFSIGNALED(status))) {
      printf("denied: it ended with %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
      return DENIED;
    }
    if (!WIFSTOPPED(status)) continue;
    int signal = WSTOPSIG(status);
    ptrace(PTRACE_CONT, pid, 0, signal == SIGTRAP || signal == SIGSTOP ? 0 : signal);
  }
  kill(child, SIGKILL);
  errno = ETIMEDOUT;
  return untried("neither ready nor ended");
}

// Starts the command in a user namespace of the attacker's own, where he has every capability, and reads its memory.
static int attack_own_namespace(const char *needle, const char *ready, char **command) {
  int uid = getuid(), gid = getgid();
  if (unshare(CLONE_NEWUSER) < 0) return untried("unshare");
  char text[64];
  int fd = open("/proc/self/setgroups", O_WRONLY);
  if (fd >= 0) { if (write(fd, "deny", 4) < 0) return untried("setgroups"); close(fd); }
  fd = open("/proc/self/uid_map", O_WRONLY);
  if (fd < 0 || write(fd, text, snprintf(text, sizeof text, "0 %d 1", uid)) < 0) return untried("uid_map");
  fd = open("/proc/self/gid_map", O_WRONLY);
  if (fd < 0 || write(fd, text, snprintf(text, sizeof text, "0 %d 1", gid)) < 0) return untried("gid_map");
  pid_t child = fork();
  if (child == 0) { execvp(command[0], command); _exit(127); }
  for (double end = now() + 15; now() < end && access(ready, F_OK) != 0; nap())
    if (waitpid(child, NULL, WNOHANG) == child) { errno = ECHILD; return untried("the command ended"); }
  int result = attack_mem(child, needle);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  return result;
}

// Captures on loopback until READY exists and for a moment longer; needs CAP_NET_RAW.
static int attack_sniff(const char *needle, const char *started, const char *ready) {
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
  if (fd < 0) return untried("AF_PACKET");
  close(open(started, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  static char bytes[1 << 17];
  size_t seen = 0;
  double end = now() + 15, last = 0;
  while (now() < end && (last == 0 || now() < last)) {
    if (last == 0 && access(ready, F_OK) == 0) last = now() + 0.3;
    struct pollfd wait = {fd, POLLIN, 0};
    if (poll(&wait, 1, 20) <= 0) continue;
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got <= 0) continue;
    seen += got;
    if (hits_in(bytes, got, needle)) { printf("stolen: from a packet\n"); return WORKED; }
  }
  if (seen == 0) { errno = ENODATA; return untried("no packet seen"); }
  printf("denied: not in %zu bytes\n", seen);
  return DENIED;
}

static int install(struct sock_filter *filter, int length, unsigned flags) {
  struct sock_fprog program = {length, filter};
  // Root keeps what it may: no_new_privs would change what is tested.
  if (geteuid() != 0) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  int result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  if (result >= 0 || errno != EACCES) return result;
  // Root of a container may not.
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define GIVE(value) BPF_STMT(BPF_RET | BPF_K, value)

// A kernel that has no Landlock.
static int without_landlock(char **command) {
  struct sock_filter filter[] = {LOAD(nr), IS(444, 0, 1), GIVE(SECCOMP_RET_ERRNO | ENOSYS), GIVE(SECCOMP_RET_ALLOW)};
  if (install(filter, 4, 0) < 0) return untried("seccomp");
  execvp(command[0], command);
  return untried("exec");
}

// A sandbox that refuses namespaces.
static int without_namespaces(char **command) {
  struct sock_filter filter[] = {LOAD(nr), IS(SYS_unshare, 5, 0), IS(SYS_clone3, 5, 0), IS(SYS_clone, 0, 2), LOAD(args[0]),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x7e020000, 1, 0), GIVE(SECCOMP_RET_ALLOW), GIVE(SECCOMP_RET_ERRNO | EPERM),
    GIVE(SECCOMP_RET_ERRNO | ENOSYS)};
  if (install(filter, 9, 0) < 0) return untried("seccomp");
  execvp(command[0], command);
  return untried("exec");
}

// A sandbox that takes prctl(PR_SET_DUMPABLE) away.
static int without_prctl(char **command) {
  struct sock_filter filter[] = {LOAD(nr), IS(SYS_prctl, 0, 3), LOAD(args[0]), IS(PR_SET_DUMPABLE, 0, 1),
    GIVE(SECCOMP_RET_ERRNO | EPERM), GIVE(SECCOMP_RET_ALLOW)};
  if (install(filter, 6, 0) < 0) return untried("seccomp");
  execvp(command[0], command);
  return untried("exec");
}

// A kernel whose Landlock is of an older version: a supervisor answers the question for it.
static int with_landlock_abi(int abi, char **command) {
  struct sock_filter filter[] = {LOAD(nr), IS(444, 0, 3), LOAD(args[2]), IS(1, 0, 1), GIVE(SECCOMP_RET_USER_NOTIF),
    GIVE(SECCOMP_RET_ALLOW)};
  int pair[2];
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
  pid_t child = fork();
  if (child == 0) {
    int notifier = install(filter, 6, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (notifier < 0) _exit(126);
    // Close-on-exec: the parent takes a copy while this process still stands here.
    char byte;
    if (write(pair[1], &notifier, sizeof notifier) < 0 || read(pair[1], &byte, 1) < 0) _exit(126);
    execvp(command[0], command);
    _exit(127);
  }
  int number;
  close(pair[1]);
  if (read(pair[0], &number, sizeof number) != sizeof number) return untried("seccomp listener");
  int notifier = syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, child, 0), number, 0);
  if (notifier < 0) return untried("pidfd_getfd");
  if (write(pair[0], "", 1) < 0) return untried("handshake");
  int status;
  while (waitpid(child, &status, WNOHANG) != child) {
    struct pollfd wait = {notifier, POLLIN, 0};
    if (poll(&wait, 1, 20) <= 0 || !(wait.revents & POLLIN)) continue;
    struct seccomp_notif asked = {0};
    if (ioctl(notifier, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0) continue;
    struct seccomp_notif_resp answer = {.id = asked.id, .val = abi};
    ioctl(notifier, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  return ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &request) < 0 ? untried("lo") : WORKED;
}

// Many attacks, parted by +, each as a process of its own: its line, then `= code`. AGENT stands for the process in that variable.
static int batch(char **words) {
  const char *agent = getenv("AGENT");
  char *own = words[-2];
  while (*words) {
    char *command[32] = {own};
    int count = 1;
    for (; *words && strcmp(*words, "+") != 0; words++)
      if (count < 31) command[count++] = strcmp(*words, "AGENT") == 0 && agent ? (char *)agent : *words;
    if (*words) words++;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) { execv(own, command); _exit(UNTRIED); }
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) printf("denied: ended by signal %d\n= 1\n", WTERMSIG(status));
    else printf("= %d\n", WEXITSTATUS(status));
  }
  return WORKED;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc < 2) return UNTRIED;
  const char *word = argv[1], *third = argc > 3 ? argv[3] : "";
  char **command = argv;
  while (*command && strcmp(*command, "--") != 0) command++;
  if (*command) command++;
  int pid = argc > 2 ? atoi(argv[2]) : 0;
#define WHEN(name) if (strcmp(word, name) == 0)
  WHEN("mem") return attack_mem(pid, third);
  WHEN("vm") return attack_vm(pid, third);
  WHEN("ptrace") return attack_ptrace(pid);
  WHEN("environ") return attack_read(pid, word);
  WHEN("maps") return attack_read(pid, word);
  WHEN("auxv") return attack_read(pid, word);
  WHEN("fd") return attack_fd(pid, third);
  WHEN("getfd") return attack_getfd(pid);
  WHEN("perf") return attack_perf(pid);
  WHEN("kcmp") return attack_kcmp(pid);
  WHEN("core-limit") return attack_prlimit(pid, RLIMIT_CORE, 1 << 20, 1 << 20);
  WHEN("file-limit") return attack_prlimit(pid, RLIMIT_NOFILE, 5, 5);
  WHEN("signal") return attack_signal(pid, atoi(third));
  WHEN("userns") return attack_userns();
  WHEN("early") return attack_early(argv[2], third, command);
  WHEN("traced") return attack_traced(argv[2], command);
  WHEN("own-namespace") return attack_own_namespace(argv[2], third, command);
  WHEN("sniff") return attack_sniff(argv[2], third, argv[4]);
  WHEN("without-landlock") return without_landlock(command);
  WHEN("without-namespaces") return without_namespaces(command);
  WHEN("without-prctl") return without_prctl(command);
  WHEN("landlock-abi") return with_landlock_abi(pid, command);
  WHEN("loopback-up") return loopback_up();
  WHEN("batch") return batch(argv + 2);
  int result = argc > 2 ? hidden(word, argv[2], third) : -1;
  if (result < 0) result = inside(word, pid, atoi(third));
  return result >= 0 ? result : reach(word, pid, atoi(third));
}
