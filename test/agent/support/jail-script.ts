// Opens a jail as the agent does, and tells how its command ended: for runtimes whose test runner cannot.

import { once } from 'node:events';

import { openJail } from '../../../src/agent/jail/jail-process.ts';

const [file = '', ...args] = process.argv.slice(2);
await using jail = await openJail({ layers: ['no-new-privs', 'landlock', 'seccomp'] }, { file, args });
const child = jail.start({ file: 'sh', args: ['-c', 'exit 7'], environment: { PATH: '/usr/bin:/bin' } });
const [code] = (await once(child, 'exit')) as [number | null];
const held = jail.report.layers.filter((one) => one.held).map((one) => one.layer);
process.stdout.write(`${JSON.stringify({ code, held })}\n`);
