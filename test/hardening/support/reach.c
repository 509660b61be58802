// More attacks, of a jailed command on what is outside: other ways to send a signal, the kernel's own files, other networks.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { WORKED = 0, DENIED = 1, UNTRIED = 2 };

static int told(const char *what, int result) {
  if (result >= 0) { printf("worked: %s\n", what); return WORKED; }
  printf("denied: %s: %s\n", what, strerrorname_np(errno));
  return DENIED;
}

// Each thread by itself; the first that can be reached is enough.
static int thread_signal(int pid, int number) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *folder = opendir(path);
  int result = folder ? -1 : (errno = ESRCH, -1);
  for (struct dirent *entry; folder && result < 0 && (entry = readdir(folder));)
    if (atoi(entry->d_name) > 0) result = syscall(SYS_tgkill, pid, atoi(entry->d_name), number);
  return told("tgkill", result);
}

static int queue_signal(int pid, int number) {
  siginfo_t info = {.si_signo = number, .si_code = SI_QUEUE};
  info.si_pid = getpid();
  info.si_uid = getuid();
  return told("rt_sigqueueinfo", syscall(SYS_rt_sigqueueinfo, pid, number, &info));
}

static int handle_signal(int pid, int number) {
  int handle = syscall(SYS_pidfd_open, pid, 0);
  if (handle < 0) return told("pidfd_open", handle);
  return told("pidfd_send_signal", syscall(SYS_pidfd_send_signal, handle, number, NULL, 0));
}

static int has_ended(int pid) {
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 1;
  if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
  close(fd);
  char *state = strrchr(text, ')');
  return !state || state[2] == 'Z' || state[2] == 'X';
}

// The kernel sends the signal of a descriptor to whoever owns it, here another process. What it refuses it does not say.
static int owner_signal(int pid, int number) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) return told("socketpair", -1);
  if (fcntl(pair[0], F_SETOWN, pid) < 0) return told("F_SETOWN", -1);
  if (fcntl(pair[0], F_SETSIG, number) < 0) return told("F_SETSIG", -1);
  if (fcntl(pair[0], F_SETFL, O_ASYNC | O_NONBLOCK) < 0) return told("O_ASYNC", -1);
  if (write(pair[1], "", 1) < 0) return told("write", -1);
  for (int i = 0; i < 20; i++) {
    nanosleep(&(struct timespec){0, 100000000}, NULL);
    if (has_ended(pid)) return told("a signal by F_SETOWN", 0);
  }
  errno = EPERM;
  return told("a signal by F_SETOWN", -1);
}

static int write_text(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  int result = write(fd, text, strlen(text));
  int failure = errno;
  close(fd);
  errno = failure;
  return result;
}

// A program that the kernel starts as root, outside of everything, for a core file. What stands there is written again.
static int kernel_setting(void) {
  const char *path = "/proc/sys/kernel/core_pattern";
  char text[256] = "";
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) { printf("untried: core_pattern cannot be read\n"); return UNTRIED; }
  close(fd);
  return told("write core_pattern", write_text(path, text));
}

// With the right to it, another kernel could be started, or this one ended; what is wrong about this call is looked at afterwards.
static int kernel_boot(void) {
  int result = syscall(SYS_reboot, 0, 0, 0, NULL);
  return told("reboot", result < 0 && errno == EINVAL ? 0 : result);
}

// Stops a process by the freezer of a control group of its own, and lets it go on.
static int freeze(int pid) {
  static const char *const kinds[][4] = {
    {"/sys/fs/cgroup", "cgroup.procs", "cgroup.freeze", "1"},
    {"/sys/fs/cgroup/unified", "cgroup.procs", "cgroup.freeze", "1"},
    {"/sys/fs/cgroup/freezer", "cgroup.procs", "freezer.state", "FROZEN"},
  };
  char group[128], path[256], number[16];
  snprintf(number, sizeof number, "%d", pid);
  int failure = ENOENT;
  for (int i = 0; i < 3; i++) {
    const char *const *kind = kinds[i];
    snprintf(path, sizeof path, "%s/%s", kind[0], kind[1]);
    if (access(path, F_OK) < 0) continue;
    snprintf(group, sizeof group, "%s/attack-%d", kind[0], getpid());
    if (mkdir(group, 0755) < 0) { failure = errno; continue; }
    snprintf(path, sizeof path, "%s/%s", group, kind[1]);
    int result = write_text(path, number);
    if (result >= 0) {
      snprintf(path, sizeof path, "%s/%s", group, kind[2]);
      result = write_text(path, kind[3]);
      if (result >= 0) write_text(path, i == 2 ? "THAWED" : "0");
      snprintf(path, sizeof path, "%s/%s", kind[0], kind[1]);
      write_text(path, number);
    }
    failure = errno;
    rmdir(group);
    if (result >= 0) return told("frozen by a control group", 0);
  }
  errno = failure;
  return told("control group", -1);
}

// The host of a virtual machine, and its other guests, whatever network this process has.
static int host_socket(void) { return told("socket(AF_VSOCK)", socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

// Types a line into the terminal, from where a shell outside would read it; the kernel looks at half of the command's number.
static int type_line(void) {
  int plain = syscall(SYS_ioctl, 0, TIOCSTI, "\n");
  if (plain < 0) plain = syscall(SYS_ioctl, 0, TIOCSTI | 1UL << 32, "\n");
  return told("TIOCSTI", plain);
}

static int abstract_socket(int name, struct sockaddr_un *address) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "attack-%d", name);
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int serve_abstract(int name) {
  struct sockaddr_un address;
  int fd = abstract_socket(name, &address);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1) < 0) return told("listen", -1);
  printf("listening\n");
  for (;;) pause();
}

static int connect_abstract(int name) {
  struct sockaddr_un address;
  int fd = abstract_socket(name, &address);
  return told("connect to an abstract socket", connect(fd, (struct sockaddr *)&address, sizeof address));
}

// Names below /proc/PID that can be opened and read, one line; folders and links that can be followed among them.
static int proc_files(int pid) {
  char path[512], byte;
  snprintf(path, sizeof path, "/proc/%d", pid);
  DIR *folder = opendir(path);
  if (!folder) return told("opendir", -1);
  printf("read:");
  for (struct dirent *entry; (entry = readdir(folder));) {
    snprintf(path, sizeof path, "/proc/%d/%s", pid, entry->d_name);
    if (entry->d_name[0] == '.') continue;
    if (entry->d_type == DT_LNK ? readlink(path, (char[256]){0}, 256) < 0 : 0) continue;
    if (entry->d_type == DT_LNK) { printf(" %s", entry->d_name); continue; }
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    // Of mem the first page is never there: to open it is enough.
    if (entry->d_type == DT_DIR || strcmp(entry->d_name, "mem") == 0 || read(fd, &byte, 1) >= 0) printf(" %s", entry->d_name);
    close(fd);
  }
  printf("\n");
  return WORKED;
}

int reach(const char *word, int pid, int number) {
#define WHEN(name) if (strcmp(word, name) == 0)
  WHEN("thread-signal") return thread_signal(pid, number);
  WHEN("queue-signal") return queue_signal(pid, number);
  WHEN("handle-signal") return handle_signal(pid, number);
  WHEN("owner-signal") return owner_signal(pid, number);
  WHEN("kernel-setting") return kernel_setting();
  WHEN("kernel-boot") return kernel_boot();
  WHEN("freeze") return freeze(pid);
  WHEN("host-socket") return host_socket();
  WHEN("type") return type_line();
  WHEN("serve-abstract") return serve_abstract(pid);
  WHEN("abstract") return connect_abstract(pid);
  WHEN("proc-files") return proc_files(pid);
  printf("untried: no such attack\n");
  return UNTRIED;
}
