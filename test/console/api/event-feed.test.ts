// The feed of the page: the newest first, then what comes, and nothing lost when the connection is cut.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdminClient, ApiFault, type Fetch, segment } from '../../../src/console/api/admin-client.ts';
import { EventFeed } from '../../../src/console/api/event-feed.ts';
import { EventStream } from '../../../src/console/api/event-stream.ts';
import { event } from '../support/event.ts';
import { waitUntil } from '../../support/program.ts';

const frame = (id: string): string => `id: ${id}\ndata: ${JSON.stringify(event(id))}\n\n`;

test('events of the stream are whole, however it is cut into pieces', () => {
  const text = `: follows\n\n${frame('a')}: alive\n\n${frame('b')}`;
  for (let size = 1; size < 40; size += 3) {
    const stream = new EventStream();
    const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
    const events = pieces.flatMap((piece) => stream.push(piece));
    assert.deepEqual(
      events,
      ['a', 'b'].map((id) => JSON.stringify(event(id))),
    );
  }
  assert.throws(() => new EventStream().push('x'.repeat(5_000_000)), RangeError);
});

/** An API with events, whose stream can be cut. */
class FakeApi {
  readonly asked: string[] = [];
  readonly headers: Headers[] = [];
  /** The event that it knows no more. */
  forgotten = '';
  pages: readonly object[] = [{ items: [event('b'), event('a')] }];
  #page = 0;
  #writers: ReadableStreamDefaultController<Uint8Array>[] = [];

  readonly fetch: Fetch = (input, init) => {
    const url = new URL(String(input), 'http://console.test');
    this.asked.push(`${url.pathname}${url.search}`);
    this.headers.push(new Headers(init?.headers));
    if (url.pathname === '/v1/exchanges')
      return Promise.resolve(Response.json(this.pages[this.#page++ % this.pages.length]));
    if (url.pathname !== '/v1/exchanges/follow')
      return Promise.resolve(Response.json({ detail: 'there is no such thing' }, { status: 404 }));
    if (url.search === `?after=${this.forgotten}`)
      return Promise.resolve(Response.json({ detail: 'that event is gone' }, { status: 404 }));
    const body = new ReadableStream<Uint8Array>({ start: (writer) => void this.#writers.push(writer) });
    this.send(': follows\n\n');
    return Promise.resolve(new Response(body));
  };

  get streams(): number {
    return this.#writers.length;
  }

  send(text: string): void {
    this.#writers.at(-1)?.enqueue(new TextEncoder().encode(text));
  }

  cut(): void {
    this.#writers.at(-1)?.error(new Error('cut'));
  }
}

test('the newest page comes first, then the stream, and a cut is caught up by cursor and told between the rows', async () => {
  const api = new FakeApi();
  const client = new AdminClient({
    entrance: { by: 'token', token: 'secret' },
    fetch: api.fetch,
    onUnknown: () => undefined,
  });
  const feed = new EventFeed(client);
  const running = feed.run();
  await waitUntil('the stream', () => api.streams === 1);
  assert.deepEqual(api.asked, ['/v1/exchanges?count=1000', '/v1/exchanges/follow?after=b']);
  api.send(frame('c'));
  await waitUntil('an event', () => feed.held.newestId === 'c');
  assert.equal(feed.connection.state, 'following');
  api.cut();
  await waitUntil('the cut', () => feed.connection.state === 'cut');
  await waitUntil('another stream', () => api.streams === 2);
  assert.equal(api.asked.at(-1), '/v1/exchanges/follow?after=c');
  api.send(frame('d'));
  await waitUntil('what was missed', () => feed.held.newestId === 'd');
  assert.match(feed.held.notes[0]?.text ?? '', /^Not connected from .* What came meanwhile follows/);
  for (const headers of api.headers) assert.equal(headers.get('authorization'), 'Bearer secret');
  assert.ok(api.asked.every((one) => !one.includes('secret')));
  feed.close();
  api.cut();
  await running;
});

test('where the audit has forgotten the cursor the page begins anew, and says so', async () => {
  const api = new FakeApi();
  const client = new AdminClient({
    entrance: { by: 'token', token: 'x' },
    fetch: api.fetch,
    onUnknown: () => undefined,
  });
  const feed = new EventFeed(client);
  const running = feed.run();
  await waitUntil('the stream', () => api.streams === 1);
  api.forgotten = 'b';
  api.pages = [{ items: [event('y'), event('x')] }];
  api.cut();
  await waitUntil('the new page', () => feed.held.newestId === 'y');
  assert.deepEqual(
    feed.held.events.map(({ id }) => id),
    ['x', 'y'],
  );
  assert.match(feed.held.notes[0]?.text ?? '', /^Not connected for longer than the audit keeps events/);
  await waitUntil('another stream', () => api.streams === 2);
  feed.close();
  api.cut();
  await running;
});

test('pages without events are gone behind, not asked for again and again', async () => {
  const api = new FakeApi();
  api.pages = [{ items: [], next: 'm' }];
  const client = new AdminClient({
    entrance: { by: 'token', token: 'x' },
    fetch: api.fetch,
    onUnknown: () => undefined,
  });
  const feed = new EventFeed(client);
  const running = feed.run();
  await waitUntil('the stream', () => feed.connection.state === 'following');
  await waitUntil('the search is over', () => !feed.isSearching);
  assert.equal(feed.held.olderId, 'm');
  api.pages = [{ items: [event('k')] }];
  await feed.loadOlder();
  assert.equal(api.asked.at(-1), '/v1/exchanges?count=1000&before=m');
  assert.deepEqual([feed.held.newestId, feed.held.hasOlder], ['k', false]);
  feed.close();
  api.cut();
  await running;
});

test('a refusal is told in its own words, and an unknown token is told to whoever logged in', async () => {
  let unknown = 0;
  const fetch: Fetch = () => Promise.resolve(Response.json({ detail: 'the token expired' }, { status: 401 }));
  const client = new AdminClient({
    entrance: { by: 'token', token: 'x' },
    fetch,
    onUnknown: () => (unknown += 1),
  });
  await assert.rejects(client.get('who', '/v1/who'), {
    name: 'ApiFault',
    message: 'the token expired',
    status: 401,
  });
  assert.equal(unknown, 1);
  const broken = new AdminClient({
    entrance: { by: 'token', token: 'x' },
    fetch: () => Promise.reject(new TypeError('no')),
    onUnknown: () => undefined,
  });
  await assert.rejects(
    broken.get('who', '/v1/who'),
    (error: unknown) => error instanceof ApiFault && error.status === undefined,
  );
  assert.equal(segment('a/b ?'), 'a%2Fb%20%3F');
});

test('a late refusal of who has logged out is told to nobody', async () => {
  let unknown = 0;
  const asked = Promise.withResolvers<Response>();
  const signals: (AbortSignal | null | undefined)[] = [];
  const fetch: Fetch = (_, init) => {
    signals.push(init?.signal);
    return asked.promise;
  };
  const client = new AdminClient({
    entrance: { by: 'token', token: 'x' },
    fetch,
    onUnknown: () => (unknown += 1),
  });
  const late = assert.rejects(client.get('who', '/v1/who'), { status: 401 });
  client.close();
  asked.resolve(Response.json({ detail: 'the token was revoked' }, { status: 401 }));
  await late;
  assert.equal(unknown, 0);
  assert.equal(signals[0]?.aborted, true);
});
