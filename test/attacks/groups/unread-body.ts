// A body that the origin does not read is its next request, which nobody decided about: nothing is served but what was asked for.

import { once } from 'node:events';
import { connect } from 'node:tls';

import fc from 'fast-check';

import { carelessHabits, carelessOrigin, type CarelessHabit } from '../../gateway/support/careless-origin.ts';
import { sendRaw } from '../../gateway/support/raw-http.ts';
import { openRequestPath } from '../../gateway/support/request-path.ts';
import { patienceMs } from '../../support/patience.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import type { Attack, AttackTable } from '../support/attack.ts';
import type { Arena } from '../support/arena.ts';
import { searched, type Finding } from '../support/search.ts';

const authority = createTestAuthority();
const secret = 'canary-of-the-unread-body';

interface Asked {
  readonly method: string;
  readonly target: '/public' | '/api';
  readonly framing: 'length' | 'chunked';
  readonly body: string;
  readonly trailers?: string;
  readonly principal?: string;
}

interface Served {
  readonly method: string;
  readonly target: string;
  readonly head: string;
}

interface Tried {
  readonly habit: CarelessHabit;
  readonly requests: readonly Asked[];
  /** Of the rule. */
  readonly more?: string;
}

function octetsOf(
  { method, target, framing, body, trailers = '' }: Asked,
  host: string,
  isLast: boolean,
): string {
  const chunk = body === '' ? '' : `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`;
  const [field, octets] =
    framing === 'length'
      ? [`Content-Length: ${Buffer.byteLength(body)}`, body]
      : ['Transfer-Encoding: chunked', `${chunk}0\r\n${trailers}\r\n`];
  const close = isLast ? 'Connection: close\r\n' : '';
  return `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${close}${field}\r\n\r\n${octets}`;
}

/** What such an origin serves behind the gateway. */
async function behindUs({ habit, requests, more = '' }: Tried, arena: Arena): Promise<readonly Served[]> {
  await using origin = await carelessOrigin(authority, () => habit);
  arena.sentry.permit(origin.port);
  const at = `hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8`;
  await using path = openRequestPath({
    policy: `rules:\n  - { name: public, ${at}, paths: /public${more} }\n  - { name: api, ${at}, paths: /api, inject: key }\n`,
    credentials: { key: { kind: 'bearer', source: { env: 'KEY' } } },
    environment: { KEY: secret },
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
  const host = `allowed.test:${origin.port}`;
  for (const one of requests) {
    const socket = await path.tls(host, one.principal === undefined ? {} : { principal: one.principal });
    await sendRaw(socket, octetsOf(one, host, true));
  }
  return origin.served;
}

/** The same behind a proxy that keeps its one connection, passes what comes, and puts the credential on by the path. */
async function behindPool({ habit, requests }: Tried): Promise<readonly Served[]> {
  await using origin = await carelessOrigin(authority, () => habit);
  const socket = connect({ port: origin.port, servername: 'allowed.test', ca: authority.caPem });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  const signal = AbortSignal.timeout(patienceMs);
  for (const one of requests) {
    if (socket.destroyed || socket.readableEnded) break;
    const injected =
      one.target === '/api' ? `allowed.test\r\nAuthorization: Bearer ${secret}` : 'allowed.test';
    socket.write(octetsOf(one, injected, false), 'latin1');
    await Promise.race([once(socket, 'data', { signal }), once(socket, 'close', { signal })]).catch(
      () => undefined,
    );
  }
  socket.destroy();
  return origin.served;
}

/** Served without having been asked for, or with a credential that was not for it. */
function strange(served: readonly Served[], requests: readonly Asked[]): Finding {
  const asked = requests.map(({ method, target }) => `${method} ${target}`);
  const odd = served.find(({ method, target }) => !asked.includes(`${method} ${target}`));
  if (odd !== undefined || served.length > asked.length) return `${odd?.method} ${odd?.target} was served`;
  const leaked = served.find(({ target, head }) => target !== '/api' && head.includes(secret));
  return leaked === undefined ? undefined : 'the credential went with another request';
}

const whole = 'POST /admin HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: 0\r\n\r\n';
const open = 'POST /admin HTTP/1.1\r\nHost: allowed.test\r\nX-Rest: ';
const methods = fc.constantFrom('GET', 'POST', 'DELETE', 'OPTIONS', 'PUT', 'PROPFIND');
const next: Asked = { method: 'GET', target: '/api', framing: 'length', body: '' };

function search(seed: number, tried: fc.Arbitrary<Tried>): Attack {
  return searched({
    seed,
    inputs: tried,
    runs: 20,
    ours: async (input, arena) => strange(await behindUs(input, arena), input.requests),
    naive: async (input) => strange(await behindPool(input), input.requests),
  });
}

const bodyOf = (
  framing: Asked['framing'],
  body: fc.Arbitrary<string>,
  method = methods,
): fc.Arbitrary<Asked> =>
  fc.tuple(method, body).map(([method, text]): Asked => ({ method, target: '/public', framing, body: text }));
const hiding = fc.constantFrom(whole, open, `${whole}${open}`, `\r\n${whole}`);
const followed = (first: fc.Arbitrary<Asked>): fc.Arbitrary<readonly Asked[]> =>
  first.map((one) => [one, next]);

export const unreadBody: AttackTable = {
  'BODY-01': search(
    2101,
    fc.record({
      habit: fc.constantFrom('ignores', 'continues'),
      requests: followed(bodyOf('length', hiding)),
    }),
  ),
  // Also where the rule refuses bodies that HTTP does not define.
  'BODY-02': search(
    2102,
    fc.record({
      habit: fc.constantFrom('ignores', 'continues'),
      requests: followed(bodyOf('length', fc.constant(whole), fc.constantFrom('GET', 'DELETE', 'OPTIONS'))),
      more: fc.constantFrom('', ', bodies: where-defined'),
    }),
  ),
  'BODY-03': search(
    2103,
    fc.record({
      habit: fc.constant('reads half' as const),
      requests: followed(
        bodyOf(
          'length',
          fc.integer({ min: 0, max: 8 }).map((more) => `${'X'.repeat(whole.length + more)}${whole}`),
        ),
      ),
    }),
  ),
  'BODY-04': search(
    2104,
    fc.record({
      habit: fc.constantFrom(...carelessHabits),
      requests: fc.array(fc.oneof(bodyOf('length', hiding), bodyOf('chunked', hiding), fc.constant(next)), {
        minLength: 2,
        maxLength: 4,
      }),
    }),
  ),
  'BODY-05': search(
    2105,
    fc.record({
      habit: fc.constant('ignores' as const),
      requests: followed(bodyOf('length', fc.constant(open))).map(([first = next]) => [
        first,
        { ...next, principal: 'bob' },
      ]),
    }),
  ),
};
