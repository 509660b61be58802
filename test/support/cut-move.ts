// Moves a store, and ends as by kill -9 before the first statement that has a text, or one behind it: node cut-move.ts FROM TO TEXT [HOW MANY GO ON]

import { Client } from 'pg';
import { moveStore } from '../../src/store/move-store.ts';

const [, , from = '', to = '', cut = '', go = '0'] = process.argv;
let left = Number(go);
const query = Client.prototype.query as (...given: unknown[]) => unknown;
Client.prototype.query = function cutQuery(this: Client, ...given: unknown[]): unknown {
  const [what] = given;
  const text =
    typeof what === 'string' ? what : String((what as { readonly text?: string } | undefined)?.text);
  if (text.includes(cut) && (left -= 1) < 0) process.kill(process.pid, 'SIGKILL');
  return query.apply(this, given);
} as never;

const { kind } = await moveStore({ from, to, nowMs: Date.now() });
process.stdout.write(`${kind}\n`);
