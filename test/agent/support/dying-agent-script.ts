// An agent that is killed in the moment in which its helper is to become the command: arguments are the mark that the command
// would leave, and the helper's program. Tells the helper, which it stops before, on standard output.

import { writeSync } from 'node:fs';
import { childrenOfSelf } from '../../../src/agent/kernel/process-table.ts';
import { openJail } from '../../../src/agent/jail/jail-process.ts';

const [mark = '', file = '', ...args] = process.argv.slice(2);
const jail = await openJail({ layers: [] }, { file, args });
const helper = Number(childrenOfSelf()[0]);
process.kill(helper, 'SIGSTOP');
jail.start({ file: 'touch', args: [mark], environment: { PATH: '/usr/bin:/bin' } });
// What was written leaves in this turn.
setImmediate(() => {
  writeSync(1, `${helper}\n`);
  process.kill(process.pid, 'SIGKILL');
});
