// Attacks of a jailed command on files of the home that are hidden from it: each tries to read a file and to find a secret in it.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORKED = 0, DENIED = 1, UNTRIED = 2 };

// Whether the secret is in what the descriptor leads to. What fails leaves its errno.
static int holds(int fd, const char *secret) {
  char text[4096];
  if (fd < 0) return 0;
  ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length < 0) return 0;
  errno = ENODATA;
  return memmem(text, length, secret, strlen(secret)) != NULL;
}

// `found` is negative where there was nothing to try it with, which is no denial.
static int told(const char *what, int found) {
  if (found < 0) { printf("untried: %s: %s\n", what, strerrorname_np(errno)); return UNTRIED; }
  if (found) { printf("stolen: %s\n", what); return WORKED; }
  printf("denied: %s: %s\n", what, strerrorname_np(errno));
  return DENIED;
}

static int by_path(const char *file, const char *secret) { return holds(open(file, O_RDONLY), secret); }

// Every process that can be named: its root, its folder, and what it has open.
static int by_processes(const char *file, const char *secret) {
  DIR *all = opendir("/proc");
  struct dirent *one;
  int found = 0;
  char path[4096];
  if (!all) return -1;
  errno = ESRCH;
  while (!found && (one = readdir(all))) {
    if (!atoi(one->d_name) && strcmp(one->d_name, "self") != 0) continue;
    snprintf(path, sizeof path, "/proc/%s/root%s", one->d_name, file);
    found = by_path(path, secret);
    const char *name = strrchr(file, '/') + 1;
    for (const char *place = "cwd"; !found && place; place = strcmp(place, "cwd") == 0 ? "fd/0" : NULL) {
      snprintf(path, sizeof path, "/proc/%s/%s/%s", one->d_name, place, name);
      found = by_path(path, secret);
    }
  }
  closedir(all);
  return found;
}

static int unmounted(const char *file, const char *secret) {
  char folder[4096];
  int first = umount2(file, MNT_DETACH), kept = errno;
  snprintf(folder, sizeof folder, "%s", file);
  *strrchr(folder, '/') = 0;
  int second = umount2(folder, MNT_DETACH);
  int found = by_path(file, secret);
  if (first < 0 && second < 0) errno = kept;
  return found;
}

static int by_link(const char *file, const char *secret, int hard) {
  char name[64];
  snprintf(name, sizeof name, "/tmp/hidden-%d", getpid());
  // A link to a file of another file system is refused for that alone, so it is tried beside the file too.
  char beside[4096];
  snprintf(beside, sizeof beside, "%s-%d", file, getpid());
  int made = hard ? link(file, beside) : symlink(file, name);
  int found = made < 0 ? 0 : by_path(hard ? beside : name, secret);
  int kept = errno;
  unlink(hard ? beside : name);
  errno = kept;
  return found;
}

// The home stands open as standard input.
static int by_descriptor(const char *file, const char *secret, int newer) {
  const char *name = strrchr(file, '/') + 1;
  struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_NO_MAGICLINKS};
  return holds(newer ? (int)syscall(SYS_openat2, 0, name, &how, sizeof how) : openat(0, name, O_RDONLY), secret);
}

// A view of the home without what lies over it: a mount of its own that takes no other mounts along, or an overlay.
static int by_mount(const char *file, const char *secret, const char *how) {
  char home[4096], place[64] = "/tmp/view-XXXXXX", options[5000], seen[4200];
  snprintf(home, sizeof home, "%s", file);
  *strrchr(home, '/') = 0;
  *strrchr(home, '/') = 0;
  if (!mkdtemp(place)) return -1;
  if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
    int refused = errno;
    rmdir(place);
    errno = refused;
    return 0;
  }
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  int result;
  if (strcmp(how, "bind") == 0) result = mount(home, place, NULL, MS_BIND, NULL);
  else if (strcmp(how, "tree") == 0) {
    int tree = syscall(SYS_open_tree, AT_FDCWD, home, 1 /* OPEN_TREE_CLONE */);
    result = tree < 0 ? tree : syscall(SYS_move_mount, tree, "", AT_FDCWD, place, 4 /* MOVE_MOUNT_F_EMPTY_PATH */);
  } else {
    snprintf(options, sizeof options, "lowerdir=%s:/etc", home);
    result = mount("view", place, "overlay", MS_RDONLY, options);
  }
  int kept = errno, found = 0;
  if (result >= 0) {
    snprintf(seen, sizeof seen, "%s/%s", place, file + strlen(home) + 1);
    found = by_path(seen, secret);
    kept = errno;
    umount2(place, MNT_DETACH);
  }
  rmdir(place);
  errno = kept;
  return found;
}

int hidden(const char *word, const char *file, const char *secret) {
#define WHEN(name) if (strcmp(word, name) == 0)
  WHEN("hidden-path") return told("by its path", by_path(file, secret));
  WHEN("hidden-processes") return told("by root, folder and descriptors of processes", by_processes(file, secret));
  WHEN("hidden-unmount") return told("by taking away what lies over it", unmounted(file, secret));
  WHEN("hidden-hard-link") return told("by a hard link", by_link(file, secret, 1));
  WHEN("hidden-symlink") return told("by a symbolic link", by_link(file, secret, 0));
  WHEN("hidden-openat") return told("by openat on a descriptor that was inherited", by_descriptor(file, secret, 0));
  WHEN("hidden-openat2") return told("by openat2 on a descriptor that was inherited", by_descriptor(file, secret, 1));
  WHEN("hidden-bind") return told("by a mount of the home elsewhere", by_mount(file, secret, "bind"));
  WHEN("hidden-tree") return told("by a copy of the mount (open_tree)", by_mount(file, secret, "tree"));
  WHEN("hidden-overlay") return told("by an overlay of the home", by_mount(file, secret, "overlay"));
  return -1;
}
