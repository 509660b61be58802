// One case of HTTP/2: a connection of its own through the agent to the gateway, the case's frames, and what comes back.

import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';

import { connectThrough } from '../../support/proxy-client.ts';
import type { ProxyTarget } from '../../support/proxy-client.ts';
import type { CaseResult } from '../suite.ts';
import { errorCodes } from './case-parts.ts';
import type { Expectation, Http2Case, Step } from './case-parts.ts';
import { flags, frame, frameTypes, preface, settings, statusOf, takeFrames } from './frames.ts';
import type { ReceivedFrame } from './frames.ts';

/** For what must come; only what does not conform waits so long. */
const waitMs = 10_000;
const probe = Buffer.from('conform!');

export async function runHttp2Case(test: Http2Case, target: ProxyTarget): Promise<CaseResult> {
  const id = `${test.section} ${test.title}`;
  const peer = await openPeer(target);
  try {
    peer.send(test.preface ?? Buffer.concat([preface, settings()]));
    for (const step of test.steps(`${target.host}:${target.port}`)) await takeStep(peer, step);
    const why = await differenceOf(peer, test.expect);
    return why === undefined ? { id, state: 'passed' } : { id, state: 'failed', why };
  } finally {
    peer.socket.destroy();
  }
}

interface Peer {
  readonly socket: TLSSocket;
  readonly received: ReceivedFrame[];
  readonly isClosed: () => boolean;
  send(octets: Buffer): void;
  /** Whether it held in time; it is looked at after each frame. */
  until(holds: () => boolean): Promise<boolean>;
}

async function openPeer(target: ProxyTarget): Promise<Peer> {
  const tunnel = await connectThrough(target);
  const socket = connectTls({
    socket: tunnel,
    servername: target.host,
    ca: target.ca,
    ALPNProtocols: ['h2'],
  });
  await once(socket, 'secureConnect');
  const received: ReceivedFrame[] = [];
  let [rest, isClosed] = [Buffer.alloc(0), false];
  let wake = (): void => undefined;
  socket.on('error', () => undefined);
  socket.on('close', () => {
    isClosed = true;
    wake();
  });
  socket.on('data', (chunk: Buffer) => {
    const taken = takeFrames(Buffer.concat([rest, chunk]));
    rest = Buffer.from(taken.rest);
    received.push(...taken.frames);
    for (const { type, flags: set } of taken.frames)
      if (type === frameTypes.settings && (set & flags.ack) === 0)
        socket.write(frame(frameTypes.settings, flags.ack, 0));
    wake();
  });
  return {
    socket,
    received,
    isClosed: () => isClosed,
    send: (octets) => void socket.write(octets),
    until: async (holds) => {
      const deadline = performance.now() + waitMs;
      while (!holds()) {
        const left = deadline - performance.now();
        if (left <= 0 || isClosed) return holds();
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const timer = setTimeout(resolve, left);
        await promise;
        clearTimeout(timer);
      }
      return true;
    },
  };
}

async function takeStep(peer: Peer, step: Step): Promise<void> {
  if (typeof step !== 'string') {
    peer.send(step);
    return;
  }
  const type = step === 'data' ? frameTypes.data : frameTypes.headers;
  const isMeant = (one: ReceivedFrame): boolean =>
    one.stream === 1 && (step === 'end' ? endsStream(one) : one.type === type);
  if (!(await peer.until(() => peer.received.some(isMeant))))
    throw new Error(`no ${step} came: ${said(peer)}`);
}

function endsStream({ type, flags: set }: ReceivedFrame): boolean {
  return (type === frameTypes.data || type === frameTypes.headers) && (set & flags.endStream) !== 0;
}

/** What the RFC wants and did not come. */
async function differenceOf(peer: Peer, expect: Expectation): Promise<string | undefined> {
  const { received } = peer;
  const first = (): ReceivedFrame | undefined => received[0];
  await peer.until(() => isOutcome(peer, expect) || hasOtherStatus(received, expect));
  if (!isOutcome(peer, expect)) return `${wordsOf(expect)}, but ${said(peer)}`;
  if (first() !== undefined && first()?.type !== frameTypes.settings)
    return `its first frame is not SETTINGS: ${said(peer)}`;
  if (expect.kind === 'connection' || expect.kind === 'stream') {
    // §5.4.1: an error of the connection closes it.
    if (goAwayOf(received) > 0 && !(await peer.until(peer.isClosed))) return `it stays open: ${said(peer)}`;
    return undefined;
  }
  peer.send(frame(frameTypes.ping, 0, 0, probe));
  const isAcknowledged = (): boolean =>
    received.some(
      ({ type, flags: set, payload }) =>
        type === frameTypes.ping && set === flags.ack && payload.equals(probe),
    );
  if (!(await peer.until(isAcknowledged)) || goAwayOf(received) > 0)
    return `the connection does not go on: ${said(peer)}`;
  if (expect.kind !== 'data') return undefined;
  const lengths = dataOf(received).map(({ payload }) => payload.length);
  return lengths.join() === expect.lengths.join()
    ? undefined
    : `data of ${expect.lengths.join()}, but ${said(peer)}`;
}

function hasOtherStatus(received: readonly ReceivedFrame[], expect: Expectation): boolean {
  if (expect.kind !== 'accept' || expect.status === undefined) return false;
  return received.some((one) => responseStatus(one) >= 200);
}

/** A connection that closes without a GOAWAY is enough, as it is for h2spec: §5.4.1 says SHOULD. */
function isOutcome(peer: Peer, expect: Expectation): boolean {
  const { received } = peer;
  switch (expect.kind) {
    case 'accept':
      return expect.status === undefined || received.some((one) => responseStatus(one) === expect.status);
    case 'acknowledged':
      // The one of the connection's preface, and that of the case.
      return (
        received.filter(({ type, flags: set }) => type === frameTypes.settings && set === flags.ack)
          .length === 2
      );
    case 'data':
      return dataOf(received).length >= expect.lengths.length;
    case 'connection':
      return peer.isClosed() || expect.codes.some((code) => goAwayOf(received) === errorCodes[code]);
    case 'stream':
      if (received.some((one) => expect.status !== undefined && responseStatus(one) === expect.status))
        return true;
      return (
        peer.isClosed() ||
        expect.codes.some(
          (code) =>
            goAwayOf(received) === errorCodes[code] ||
            received.some(
              ({ type, payload }) =>
                type === frameTypes.reset && payload.readUInt32BE(0) === errorCodes[code],
            ),
        )
      );
  }
}

function responseStatus({ type, stream, payload }: ReceivedFrame): number {
  return type === frameTypes.headers && stream === 1 ? statusOf(payload) : 0;
}

function dataOf(received: readonly ReceivedFrame[]): readonly ReceivedFrame[] {
  return received.filter(
    ({ type, stream, payload }) => type === frameTypes.data && stream === 1 && payload.length > 0,
  );
}

/** The code of a GOAWAY with an error; 0 if there is none. */
function goAwayOf(received: readonly ReceivedFrame[]): number {
  return received.findLast(({ type }) => type === frameTypes.goAway)?.payload.readUInt32BE(4) ?? 0;
}

function wordsOf(expect: Expectation): string {
  switch (expect.kind) {
    case 'accept':
      return `status ${expect.status ?? 'of any kind'}`;
    case 'acknowledged':
      return 'an acknowledgement';
    case 'data':
      return `data of ${expect.lengths.join()}`;
    case 'connection':
    case 'stream':
      return `an error of the ${expect.kind}, ${expect.codes.join(' or ')}`;
  }
}

function said({ received, isClosed }: Peer): string {
  const names = Object.fromEntries(Object.entries(frameTypes).map(([name, type]) => [type, name]));
  const words = received.map((one) => {
    const { type, stream, payload } = one;
    const code =
      type === frameTypes.goAway
        ? payload.readUInt32BE(4)
        : type === frameTypes.reset
          ? payload.readUInt32BE(0)
          : undefined;
    const status = type === frameTypes.headers ? ` ${statusOf(payload)}` : '';
    return `${names[type] ?? type}(${stream})${code === undefined ? '' : ` ${code}`}${status}`;
  });
  return `it sends ${words.slice(-12).join(', ')}${isClosed() ? ' and closes' : ''}`;
}
