// Builds the agent, or the gateway, as one executable file: `npm run build:agent -- [--out FILE] [--install DIR]`, `npm run build:gateway -- …`.

import { chmodSync, chownSync, copyFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildSingleFile, programs } from './release/single-file.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const { values } = parseArgs({
  options: {
    program: { type: 'string', default: 'agent' },
    out: { type: 'string' },
    install: { type: 'string' },
  },
});
if (values.program !== 'agent' && values.program !== 'gateway')
  throw new Error('--program is agent or gateway');
const { name } = programs[values.program];
const out = resolve(values.out ?? join(root, 'dist', name));

/** Root's, and readable by nobody else: then the kernel closes the process's memory from its first instruction. */
function install(folder: string): void {
  if (process.geteuid?.() !== 0)
    throw new Error('--install needs root: the file must not belong to who runs it');
  mkdirSync(folder, { recursive: true });
  const target = join(folder, name);
  copyFileSync(out, `${target}.new`);
  chownSync(`${target}.new`, 0, 0);
  chmodSync(`${target}.new`, 0o711);
  renameSync(`${target}.new`, target);
  console.log(`${target}: root, mode 0711`);
}

buildSingleFile({ program: values.program, out, node: process.execPath, start: [process.execPath] });
console.log(`${out}: ${(statSync(out).size / 1e6).toFixed(1)} MB`);
if (values.install !== undefined) install(resolve(values.install));
