// Attacks of a jailed command, second part: families of system calls, other processes without a signal, queues, networks, the kernel's files.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <asm/ldt.h>
#include <sys/io.h>
#endif

enum { WORKED = 0, DENIED = 1, UNTRIED = 2 };

static int told(const char *what, long result) {
  if (result >= 0) { printf("worked: %s\n", what); return WORKED; }
  printf("denied: %s: %s\n", what, strerrorname_np(errno));
  return DENIED;
}

// The right was looked at before the argument: these errors say that the kernel would have done it.
static int reached(const char *what, long result, int first, int second) {
  return told(what, result < 0 && (errno == first || errno == second) ? 0 : result);
}

// Namespaces of its own, in which an ordinary user may what root may outside. Refused in the jail; what follows then fails by itself.
static void own(int namespaces) {
  if (unshare(namespaces) < 0 && unshare(CLONE_NEWUSER | namespaces) < 0) return;
}

static int in_namespace(const char *what, int namespace) {
  long result = unshare(namespace);
  return told(what, result < 0 ? unshare(CLONE_NEWUSER | namespace) : result);
}

static long raw_clone(int flags) {
  long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  if (pid > 0) waitpid(pid, NULL, 0);
  return pid;
}

static long raw_clone3(uint64_t flags) {
  struct clone_args arguments = {.flags = flags, .exit_signal = SIGCHLD};
  long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) _exit(0);
  if (pid > 0) waitpid(pid, NULL, 0);
  return pid;
}

static long ring(void) {
  struct io_uring_params parameters = {0};
  return syscall(SYS_io_uring_setup, 4, &parameters);
}

static long sample_self(void) {
  struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_TASK_CLOCK,
    .exclude_kernel = 1, .exclude_hv = 1};
  return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long fault_device(void) {
  int fd = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
  return fd < 0 ? -1 : ioctl(fd, USERFAULTFD_IOC_NEW, O_CLOEXEC);
}

#if defined(__x86_64__)
static long segment(void) {
  struct user_desc entry = {.entry_number = 0, .limit = 1, .seg_32bit = 1};
  return syscall(SYS_modify_ldt, 1, &entry, sizeof entry);
}

// getpid of 32-bit programs, whose numbers are others.
static long narrow_call(void) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
  if (result < 0) { errno = -result; return -1; }
  return result;
}

static long ports(void) { return ioperm(0x80, 1, 1); }
#else
static long unknown(void) { errno = ENOSYS; return -1; }
#define segment unknown
#define narrow_call unknown
#define ports unknown
#endif

static long by_handle(void) {
  struct { struct file_handle head; char rest[128]; } handle = {.head.handle_bytes = 128};
  int mount;
  if (name_to_handle_at(AT_FDCWD, "/etc", &handle.head, &mount, 0) < 0) return -1;
  int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  long result = open_by_handle_at(root, &handle.head, O_RDONLY | O_CLOEXEC);
  return result < 0 && errno == ESTALE ? 0 : result;
}

static long advise(int pid) {
  int handle = syscall(SYS_pidfd_open, pid, 0);
  if (handle < 0) return -1;
  struct iovec none = {(void *)0x10000, 4096};
  long result = syscall(SYS_process_madvise, handle, &none, 1, MADV_COLD, 0);
  return result < 0 && (errno == ENOMEM || errno == EINVAL) ? 0 : result;
}

static long key_of_user(void) {
  return syscall(SYS_add_key, "user", "attack", "x", 1, KEY_SPEC_PROCESS_KEYRING);
}

static int write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  int result = write(fd, text, strlen(text)), failure = errno;
  close(fd);
  errno = failure;
  return result;
}

// What stands there is written again.
static long rewrite(int pid, const char *name) {
  char path[64], text[64] = "";
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) return -1;
  close(fd);
  if (strcmp(name, "coredump_filter") == 0) { memmove(text + 2, text, sizeof text - 3); memcpy(text, "0x", 2); }
  return write_file(path, text);
}

static long write_of(int pid, const char *name, const char *text) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return write_file(path, text);
}

static long read_of(int pid, const char *name) {
  // Of pagemap eight at a time.
  char path[64], bytes[8];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
}

static long list_of(int pid, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static long link_of(int pid, const char *name) {
  char path[64], to[256];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return readlink(path, to, sizeof to);
}

static long affinity(int pid) {
  cpu_set_t set;
  if (sched_getaffinity(pid, sizeof set, &set) < 0) return -1;
  return sched_setaffinity(pid, sizeof set, &set);
}

static long scheduler(int pid, int policy) {
  struct sched_param parameter = {0};
  return sched_setscheduler(pid, policy, &parameter);
}

static long limit(int pid, int resource) {
  struct rlimit now;
  if (prlimit(pid, resource, NULL, &now) < 0) return -1;
  return prlimit(pid, resource, &now, NULL);
}

static long robust_list(int pid) {
  void *head;
  size_t length;
  return syscall(SYS_get_robust_list, pid, &head, &length);
}

static long enter_of(int pid) {
  int handle = syscall(SYS_pidfd_open, pid, 0);
  // Which namespaces are wanted is looked at last.
  return handle < 0 ? -1 : setns(handle, CLONE_NEWUTS);
}

static int serve_queues(int key) {
  char name[32];
  snprintf(name, sizeof name, "/attack-%d", key);
  int queue = msgget(key, IPC_CREAT | 0666), memory = shmget(key, 4096, IPC_CREAT | 0666), lock = semget(key, 1, IPC_CREAT | 0666);
  struct mq_attr attr = {.mq_maxmsg = 2, .mq_msgsize = 16};
  umask(0);
  mqd_t posix = mq_open(name, O_CREAT | O_RDWR, 0666, &attr);
  printf("serving %d %d %d %d\n", queue >= 0, memory >= 0, lock >= 0, posix >= 0);
  char byte;
  // Ends with its input.
  while (read(0, &byte, 1) > 0) {}
  msgctl(queue, IPC_RMID, NULL);
  shmctl(memory, IPC_RMID, NULL);
  semctl(lock, 0, IPC_RMID);
  mq_unlink(name);
  return WORKED;
}

static long send_message(int key) {
  struct { long type; char text[1]; } message = {1, "x"};
  int queue = msgget(key, 0);
  return queue < 0 ? -1 : msgsnd(queue, &message, 1, IPC_NOWAIT);
}

static long attach_memory(int key) {
  int id = shmget(key, 0, 0);
  if (id < 0) return -1;
  return shmat(id, NULL, 0) == (void *)-1 ? -1 : 0;
}

static long use_lock(int key) {
  struct sembuf up = {0, 1, IPC_NOWAIT};
  int id = semget(key, 0, 0);
  return id < 0 ? -1 : semop(id, &up, 1);
}

static long posix_queue(int key) {
  char name[32];
  snprintf(name, sizeof name, "/attack-%d", key);
  return mq_open(name, O_RDWR);
}

static long connect_to(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  return connect(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&address, sizeof address);
}

// The kernel's table of connections in the network of a process, in which the port is looked for.
static long sees_port(const char *path, int port) {
  char line[512], wanted[16];
  snprintf(wanted, sizeof wanted, ":%04X ", port);
  FILE *table = fopen(path, "re");
  if (!table) return -1;
  while (fgets(line, sizeof line, table)) if (strstr(line, wanted)) { fclose(table); return 0; }
  fclose(table);
  errno = ENOENT;
  return -1;
}

static long add_address(void) {
  own(CLONE_NEWNET);
  struct ifreq request = {.ifr_name = "lo"};
  ((struct sockaddr_in *)&request.ifr_addr)->sin_family = AF_INET;
  ((struct sockaddr_in *)&request.ifr_addr)->sin_addr.s_addr = htonl(0x0a090807);
  return ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFADDR, &request);
}

static long tunnel(void) {
  own(CLONE_NEWNET);
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  struct ifreq request = {.ifr_name = "attack%d", .ifr_flags = IFF_TUN | IFF_NO_PI};
  return fd < 0 ? -1 : ioctl(fd, TUNSETIFF, &request);
}

static long packets(void) {
  own(CLONE_NEWNET);
  return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static long mounted(void) {
  own(CLONE_NEWNS);
  return mount("attack", "/mnt", "tmpfs", 0, "size=4k");
}

static long file_system(void) {
  own(CLONE_NEWNS);
  return syscall(SYS_fsopen, "tmpfs", 1);
}

static long tree(void) {
  own(CLONE_NEWNS);
  /* With what is mounted below: where that is locked, a copy without it is refused to everybody. */
  return syscall(SYS_open_tree, AT_FDCWD, "/tmp", 1 /* OPEN_TREE_CLONE */ | 0x8000 /* AT_RECURSIVE */ | O_CLOEXEC);
}

static long attributes_of_mount(void) {
  own(CLONE_NEWNS);
  struct { uint64_t set, clear, propagation, users; } attr = {2 /* MOUNT_ATTR_NOSUID */, 0, 0, 0};
  return syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attr, sizeof attr);
}

static long root_of(void) {
  own(0);
  if (geteuid() != 0) unshare(CLONE_NEWUSER);
  return chroot("/");
}

static long named(void) {
  own(CLONE_NEWUTS);
  return sethostname("attack", 6);
}

static long domain(void) {
  own(CLONE_NEWUTS);
  return setdomainname("attack", 6);
}

static long back_into(void) {
  own(CLONE_NEWUTS);
  return setns(open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC), CLONE_NEWUTS);
}

static long terminal(int number) {
  char path[32];
  snprintf(path, sizeof path, "/dev/pts/%d", number);
  int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
  return fd < 0 ? -1 : write(fd, "attack\n", 7);
}

// To open it is enough: nothing is written.
static long opened(const char *path) { return open(path, O_WRONLY | O_CLOEXEC); }

int inside(const char *word, int pid, int number) {
  (void)number;
#define WHEN(name) if (strcmp(word, name) == 0)
  WHEN("mount") return told("mount", mounted());
  WHEN("umount") { own(CLONE_NEWNS); return reached("umount2", umount2("/etc", 0), EINVAL, EBUSY); }
  WHEN("pivot-root") { own(CLONE_NEWNS); return reached("pivot_root", syscall(SYS_pivot_root, "/", "/"), EINVAL, EBUSY); }
  WHEN("fsopen") return told("fsopen", file_system());
  WHEN("fsconfig") return reached("fsconfig", syscall(SYS_fsconfig, -1, 0, "x", "y", 0), EINVAL, EBADF);
  WHEN("fsmount") { own(CLONE_NEWNS); return reached("fsmount", syscall(SYS_fsmount, -1, 0, 0), EINVAL, EBADF); }
  WHEN("fspick") { own(CLONE_NEWNS); return reached("fspick", syscall(SYS_fspick, AT_FDCWD, "/proc", 0), EINVAL, EBUSY); }
  WHEN("open-tree") return told("open_tree", tree());
  WHEN("move-mount") { own(CLONE_NEWNS); return reached("move_mount", syscall(SYS_move_mount, -1, "x", -1, "y", 0), EBADF, EINVAL); }
  WHEN("mount-setattr") return reached("mount_setattr", attributes_of_mount(), EINVAL, EINVAL);
  WHEN("chroot") return told("chroot", root_of());
  WHEN("setns") return told("setns", back_into());
  WHEN("new-mounts") return in_namespace("unshare(CLONE_NEWNS)", CLONE_NEWNS);
  WHEN("new-processes") return in_namespace("unshare(CLONE_NEWPID)", CLONE_NEWPID);
  WHEN("new-network") return in_namespace("unshare(CLONE_NEWNET)", CLONE_NEWNET);
  WHEN("new-queues") return in_namespace("unshare(CLONE_NEWIPC)", CLONE_NEWIPC);
  WHEN("new-groups") return in_namespace("unshare(CLONE_NEWCGROUP)", CLONE_NEWCGROUP);
  WHEN("clone-users") return told("clone(CLONE_NEWUSER)", raw_clone(CLONE_NEWUSER));
  WHEN("clone3-users") return told("clone3(CLONE_NEWUSER)", raw_clone3(CLONE_NEWUSER));
  WHEN("hostname") return told("sethostname", named());
  WHEN("domainname") return told("setdomainname", domain());
  WHEN("add-key") return told("add_key", key_of_user());
  WHEN("request-key") return reached("request_key", syscall(SYS_request_key, "user", "none", NULL, 0), ENOKEY, ENOENT);
  WHEN("keyctl") return told("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1));
  WHEN("userfaultfd") return told("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */));
  WHEN("userfaultfd-device") return told("/dev/userfaultfd", fault_device());
  WHEN("ring-setup") return told("io_uring_setup", ring());
  WHEN("ring-enter") return reached("io_uring_enter", syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0), EBADF, EINVAL);
  WHEN("ring-register") return reached("io_uring_register", syscall(SYS_io_uring_register, -1, 2, NULL, 0), EBADF, EINVAL);
  WHEN("bpf") return reached("bpf", syscall(SYS_bpf, 0, NULL, 0), EINVAL, EFAULT);
  WHEN("perf-self") return told("perf_event_open", sample_self());
  WHEN("modify-ldt") return told("modify_ldt", segment());
  WHEN("narrow-call") return told("a call of a 32-bit program", narrow_call());
  WHEN("crypto-socket") return told("socket(AF_ALG)", socket(38, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  WHEN("key-socket") return told("socket(AF_KEY)", socket(15, SOCK_RAW | SOCK_CLOEXEC, 2));
  WHEN("page-zero") return told("personality(MMAP_PAGE_ZERO)", personality(MMAP_PAGE_ZERO));
  WHEN("open-by-handle") return told("open_by_handle_at", by_handle());
  WHEN("fanotify") return told("fanotify_init", fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_CLOEXEC, O_RDONLY));
  WHEN("advise-self") return told("process_madvise", advise(getpid()));
  WHEN("lsm-modules") { uint64_t ids[16]; uint32_t size = sizeof ids; return told("lsm_list_modules", syscall(461, ids, &size, 0)); }
  WHEN("migrate-pages") { unsigned long nodes = 1; return told("migrate_pages", syscall(SYS_migrate_pages, 0, 8, &nodes, &nodes)); }
  WHEN("kernel-log") return told("syslog", syscall(SYS_syslog, 10, NULL, 0));
  WHEN("clock") return reached("clock_settime", syscall(SYS_clock_settime, CLOCK_REALTIME, &(struct timespec){0, -1}), EINVAL, EINVAL);
  WHEN("time-of-day") return told("settimeofday", syscall(SYS_settimeofday, NULL, NULL));
  WHEN("init-module") return reached("init_module", syscall(SYS_init_module, NULL, 0, ""), ENOEXEC, EFAULT);
  WHEN("finit-module") return reached("finit_module", syscall(SYS_finit_module, -1, "", 0), EBADF, ENOEXEC);
  WHEN("delete-module") return reached("delete_module", syscall(SYS_delete_module, "attack", O_NONBLOCK), ENOENT, ENOENT);
  WHEN("kexec") return reached("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, ~0UL), EINVAL, EINVAL);
  WHEN("swapon") return reached("swapon", syscall(SYS_swapon, "/nonexistent", 0), ENOENT, EINVAL);
  WHEN("swapoff") return reached("swapoff", syscall(SYS_swapoff, "/nonexistent"), ENOENT, EINVAL);
  WHEN("acct") return reached("acct", syscall(SYS_acct, "/nonexistent"), ENOENT, EINVAL);
  WHEN("ports") return told("ioperm", ports());
  WHEN("quota") return reached("quotactl", syscall(SYS_quotactl, 0x800002 << 8, "/nonexistent", 0, NULL), ENOENT, ENODEV);

  WHEN("priority") return told("setpriority", setpriority(PRIO_PROCESS, pid, 19));
  WHEN("affinity") return told("sched_setaffinity", affinity(pid));
  WHEN("scheduler") return told("sched_setscheduler", scheduler(pid, SCHED_BATCH));
  WHEN("disk-priority") return told("ioprio_set", syscall(SYS_ioprio_set, 1, pid, 2 << 13 | 7));
  WHEN("oom-score") return told("oom_score_adj", write_of(pid, "oom_score_adj", "1000"));
  WHEN("clear-refs") return told("clear_refs", write_of(pid, "clear_refs", "1"));
  WHEN("core-filter") return told("coredump_filter", rewrite(pid, "coredump_filter"));
  WHEN("timer-slack") return told("timerslack_ns", rewrite(pid, "timerslack_ns"));
  WHEN("network-of") return told("net/tcp", read_of(pid, "net/tcp"));
  WHEN("root-of") return told("root", link_of(pid, "root"));
  WHEN("folder-of") return told("cwd", link_of(pid, "cwd"));
  WHEN("program-of") return told("exe", link_of(pid, "exe"));
  WHEN("threads-of") return told("task", list_of(pid, "task"));
  WHEN("mappings-of") return told("map_files", list_of(pid, "map_files"));
  WHEN("descriptors-of") return told("fdinfo", list_of(pid, "fdinfo"));
  WHEN("counters-of") return told("io", read_of(pid, "io"));
  WHEN("pages-of") return told("pagemap", read_of(pid, "pagemap"));
  WHEN("sizes-of") return told("smaps", read_of(pid, "smaps"));
  WHEN("command-line-of") return told("cmdline", read_of(pid, "cmdline"));
  WHEN("status-of") return told("status", read_of(pid, "status"));
  WHEN("namespace-of") return told("ns/net", link_of(pid, "ns/net"));
  WHEN("mounts-of") return told("mountinfo", read_of(pid, "mountinfo"));
  WHEN("system-call-of") return told("syscall", read_of(pid, "syscall"));
  WHEN("handle-of") return told("pidfd_open", syscall(SYS_pidfd_open, pid, 0));
  WHEN("enter") return reached("setns to a process", enter_of(pid), EPERM + 1000, EINVAL);
  WHEN("advise") return told("process_madvise", advise(pid));
  WHEN("robust-list") return told("get_robust_list", robust_list(pid));
  WHEN("core-limit-of") return told("prlimit(RLIMIT_CORE)", limit(pid, RLIMIT_CORE));
  WHEN("time-limit-of") return told("prlimit(RLIMIT_CPU)", limit(pid, RLIMIT_CPU));
  WHEN("memory-limit-of") return told("prlimit(RLIMIT_AS)", limit(pid, RLIMIT_AS));
  WHEN("session-of") return told("getsid", getsid(pid));

  WHEN("terminal") return told("another terminal", terminal(pid));

  WHEN("serve-queues") return serve_queues(pid);
  WHEN("message") return told("msgsnd", send_message(pid));
  WHEN("shared-memory") return told("shmat", attach_memory(pid));
  WHEN("semaphore") return told("semop", use_lock(pid));
  WHEN("posix-queue") return told("mq_open", posix_queue(pid));

  WHEN("connect") return told("connect to a listener outside", connect_to(pid));
  WHEN("connections") return told("a port outside in /proc/net/tcp", sees_port("/proc/net/tcp", pid));
  WHEN("address") return told("SIOCSIFADDR", add_address());
  WHEN("tunnel") return told("TUNSETIFF", tunnel());
  WHEN("packets") return told("socket(AF_PACKET)", packets());

  WHEN("sysrq") return told("/proc/sysrq-trigger", opened("/proc/sysrq-trigger"));
  WHEN("modprobe") return told("/proc/sys/kernel/modprobe", opened("/proc/sys/kernel/modprobe"));
  WHEN("pid-max") return told("/proc/sys/kernel/pid_max", opened("/proc/sys/kernel/pid_max"));
  WHEN("overcommit") return told("/proc/sys/vm/overcommit_memory", opened("/proc/sys/vm/overcommit_memory"));
  WHEN("dumpable-programs") return told("/proc/sys/fs/suid_dumpable", opened("/proc/sys/fs/suid_dumpable"));
  WHEN("interrupts") return told("/proc/irq/default_smp_affinity", opened("/proc/irq/default_smp_affinity"));
  WHEN("power") return told("/sys/power/state", opened("/sys/power/state"));
  WHEN("physical-memory") return told("/dev/mem", open("/dev/mem", O_RDONLY | O_CLOEXEC));
  return -1;
}
