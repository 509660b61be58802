// A process that protects nothing: holds a token as string and as bytes, keeps its file open, and says that it is ready.

import { openSync, readSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';

const [tokenFile = '', readyFile = ''] = process.argv.slice(2);
const fd = openSync(tokenFile, 'r');
const bytes = Buffer.alloc(256);
const text = bytes.toString('latin1', 0, readSync(fd, bytes, 0, 256, 0));
unlinkSync(tokenFile);
const server = createServer().listen(0, '127.0.0.1', () => writeFileSync(readyFile, `${text.length}\n`));
// Holds on to both.
setInterval(() => server.emit('held', fd, bytes, text), 1000);
