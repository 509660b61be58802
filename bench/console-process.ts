// A console that is open: what its page asks of the admin API, without drawing it. Live is followed, and everything that Overview shows is
// asked for as often as the page does. Arguments: origin of the admin API, file with a token. Prints a line when it follows, and at each line
// of its input how many events have come since the last one.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Agent, get, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';

const [origin = '', tokenFile = ''] = process.argv.slice(2);
const token = (await readFile(tokenFile, 'utf8')).trim();
const agent = new Agent({ keepAlive: true });

/** As src/console/views/overview and src/console/shell.tsx ask. */
const polls: readonly (readonly [path: string, everyMs: number])[] = [
  ['/v1/health', 5000],
  ['/v1/policy', 10_000],
  ['/v1/sessions', 5000],
  ['/v1/access?state=pending', 3000],
  ['/v1/limits', 10_000],
  ['/v1/uses?kind=rule', 10_000],
  ['/v1/uses?kind=observed', 10_000],
  ['/v1/uses/hours?hours=24', 30_000],
  ['/v1/credentials', 10_000],
  ['/v1/gateways', 5000],
];

async function ask(path: string): Promise<IncomingMessage> {
  const asked = get(new URL(path, origin), { agent, headers: { authorization: `Bearer ${token}` } });
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`${path}: status ${response.statusCode}`);
  return response;
}

let events = 0;
const live = await ask('/v1/exchanges/follow');
// An event is two lines and an empty one; what is left of a piece begins the next.
let rest = '';
live.setEncoding('utf8').on('data', (piece: string) => {
  const parts = (rest + piece).split('\n\n');
  rest = parts.pop() ?? '';
  for (const part of parts) if (part.startsWith('id: ')) events += 1;
});
live.on('close', () => {
  console.error('the stream of events ended');
  process.exit(1);
});

for (const [path, everyMs] of polls) {
  const look = (): void =>
    void ask(path).then(
      (response) => response.resume(),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  look();
  setInterval(look, everyMs);
}

console.log('follows');
createInterface({ input: process.stdin })
  .on('line', () => {
    console.log(String(events));
    events = 0;
  })
  .on('close', () => process.exit());
