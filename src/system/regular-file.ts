// A file that may not be one: a pipe in its place would be waited for, and a device has no end.

import { constants, createWriteStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

/** Throws what open(2) does, and for what is no regular file. Waits for no other process. */
async function openRegularFile(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = await file.stat();
    if (status.isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
    if (!status.isFile()) throw new Error('it is not a regular file');
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Its text; undefined if it has more bytes than that, whatever its length says. Throws as above. */
export async function readRegularFile(path: string, bytesMax: number): Promise<string | undefined> {
  await using file = await openRegularFile(path);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of file.createReadStream({
    end: bytesMax,
    autoClose: false,
  }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    chunks.push(chunk);
  }
  return bytes > bytesMax ? undefined : Buffer.concat(chunks).toString('utf8');
}

/** Copies it to a new file, as far as it is now. Throws as above, EEXIST, and when `signal` aborts. */
export async function copyRegularFile(from: string, to: string, signal: AbortSignal): Promise<void> {
  await using file = await openRegularFile(from);
  const { size, mode } = await file.stat();
  const source = file.createReadStream({ start: 0, end: Math.max(0, size - 1), autoClose: false });
  await pipeline(source, createWriteStream(to, { flags: 'wx', mode: mode & 0o777 }), { signal });
}
