import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';

import { PushGate, type PushVerdict } from '../../../src/gateway/ssh/push-gate.ts';
import type { PushCommands } from '../../../src/policy/git-commands.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';

const [none, some] = ['0'.repeat(40), 'a'.repeat(40)];
const packet = (text: string): string => (text.length + 4).toString(16).padStart(4, '0') + text;
const push = (ref: string, after = some): string =>
  `${packet(`${none} ${after} ${ref}\0report-status side-band-64k\n`)}0000`;
const pack = 'PACK and whatever follows';

interface Outcome {
  readonly toServer: string;
  readonly toClient: string;
  readonly broken: ProxyError | undefined;
  readonly gate: PushGate;
}

/** What comes of a push that is sent in pieces of so many octets; the server says `advertised` before and nothing behind. */
async function sent(
  text: string,
  judge: (commands: PushCommands) => PushVerdict,
  { step = text.length, limits = {} }: { readonly step?: number; readonly limits?: Partial<Limits> } = {},
): Promise<Outcome> {
  let broken: ProxyError | undefined;
  const gate = new PushGate({
    limits: { ...defaultLimits, ...limits },
    judge,
    broken: (error) => {
      broken ??= error;
    },
  });
  const [toServer, toClient] = [buffer(gate.throughClient), buffer(gate.throughServer)];
  gate.throughServer.write('advertised');
  for (let at = 0; at < text.length; at += step) gate.throughClient.write(text.slice(at, at + step));
  gate.throughClient.end();
  // A server of git ends when its input does.
  void toServer.then(() => gate.throughServer.end());
  return { toServer: String(await toServer), toClient: String(await toClient), broken, gate };
}

const allowed = (): PushVerdict => ({ kind: 'allowed' });
const refused = (commands: PushCommands): PushVerdict => ({
  kind: 'refused',
  reason: 'not this one',
  push: { commands, refused: new Set(commands.updates.map(({ ref }) => ref)) },
});

test('a push that is allowed goes on byte for byte, in whatever pieces it comes', async () => {
  const text = push('refs/heads/a') + pack;
  for (const step of [1, 7, text.length]) {
    const seen: string[] = [];
    const { toServer, toClient, gate } = await sent(
      text,
      ({ updates }) => {
        seen.push(...updates.map(({ ref, change }) => `${change} ${ref}`));
        return allowed();
      },
      { step },
    );
    assert.deepEqual([toServer, toClient, seen], [text, 'advertised', ['create refs/heads/a']]);
    assert.equal(gate.refused, undefined);
  }
});

test('of a push that is refused the server sees an empty list, and git hears why of each ref', async () => {
  for (const step of [1, 1000]) {
    const { toServer, toClient, gate } = await sent(push('refs/heads/main') + pack, refused, { step });
    assert.equal(toServer, '0000');
    assert.match(toClient, /^advertised.*ng refs\/heads\/main upstreamproxy: not this one\n/s);
    assert.equal(gate.refused?.code, 'policy_denied');
  }
});

test('nothing of a push goes on that ends, is too long or makes no sense before its commands do', async () => {
  const cut = await sent(push('refs/heads/a').slice(0, -4), allowed);
  assert.deepEqual([cut.toServer, cut.broken], ['', undefined]);
  const long = await sent(push('refs/heads/a'), allowed, { step: 10, limits: { pushCommandsBytesMax: 50 } });
  assert.deepEqual([long.toServer, long.broken?.code], ['', 'body_too_large']);
  const odd = await sent(`zzzz${push('refs/heads/a')}`, allowed);
  assert.deepEqual([odd.toServer, odd.broken?.code], ['', 'request_malformed']);
});

test('behind an empty list of commands nothing goes on', async () => {
  const text = `0000${push('refs/heads/main')}${pack}`;
  for (const step of [1, 7, text.length]) {
    const { toServer, toClient, gate } = await sent(text, allowed, { step });
    assert.deepEqual([toServer, toClient, gate.refused], ['0000', 'advertised', undefined]);
  }
});
