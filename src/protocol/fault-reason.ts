// What the system refused, in words: a person does not know error numbers by heart.

/** As the half of a sentence that follows a colon or stands in brackets. */
const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'this user has no permission',
  EPERM: 'this user has no permission',
  EEXIST: 'it exists already',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is not a folder',
  ENOTEMPTY: 'the folder is not empty',
  ELOOP: 'it is a symbolic link',
  ENAMETOOLONG: 'its name is too long',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left',
  EDQUOT: 'the quota is used up',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  ENOMEM: 'no memory is left',
  EIO: 'the device reports a fault',
  EBUSY: 'it is in use',
  ETXTBSY: 'it is in use',
  ENOEXEC: 'it is not a program for this system',
  EADDRINUSE: 'another program listens there',
  EADDRNOTAVAIL: 'this machine does not have the address',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the other side broke the connection off',
  EPIPE: 'the other side broke the connection off',
  ETIMEDOUT: 'no response in time',
  EHOSTUNREACH: 'no way leads there',
  ENETUNREACH: 'no network leads there',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'no name server can be asked',
};

/** The code of a system error, such as `ENOENT`. */
function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Why something failed, without the path and the call that system errors carry in their text. */
export function faultReason(error: unknown): string {
  const code = codeOf(error);
  if (code !== undefined) {
    // mkdir(2) with the folders above is content with a folder that is there.
    const isMkdir = error instanceof Error && 'syscall' in error && error.syscall === 'mkdir';
    if (code === 'EEXIST' && isMkdir) return 'a file is in its place';
    const known = Object.hasOwn(reasons, code) ? reasons[code] : undefined;
    if (known !== undefined) return known;
    if (/^E[A-Z0-9]+$/.test(code)) return code;
  }
  return error instanceof Error ? error.message : String(error);
}

/** The text of an error that nobody expected: for one of the file system its path, and why; else its own. */
export function faultText(error: unknown): string {
  const isOfFile = error instanceof Error && 'syscall' in error && 'path' in error;
  if (isOfFile && typeof error.path === 'string') return `${error.path}: ${faultReason(error)}`;
  return error instanceof Error ? error.message : String(error);
}
