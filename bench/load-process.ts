// The load generator, a process of its own: jobs by lines on its input, ticks and results on its output. Its source runs under Node and
// under Bun, whose TLS takes half as much of the machine.

import { createInterface } from 'node:readline';

import { runLoad } from './load/load-runner.ts';
import type { LoadJob, LoadMessage } from './load/load-job.ts';

function say(message: LoadMessage): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

const runtime =
  process.versions['bun'] === undefined ? `Node ${process.versions.node}` : `Bun ${process.versions['bun']}`;
say({ ready: true, runtime });
for await (const line of createInterface({ input: process.stdin })) {
  // The parent writes nothing else.
  const job = JSON.parse(line) as LoadJob;
  try {
    say({ result: await runLoad(job, (tick) => say({ tick })) });
  } catch (error) {
    say({ error: String(error) });
  }
}
process.exit(0);
