// Frames of a WebSocket through agent and gateway, from each side to the other.

import { decodeClose } from '../../../src/net/websocket-frame.ts';
import { rawFrame, testMask } from '../../net/websocket-frames.ts';
import type { CaseResult, Suite } from '../suite.ts';
import { webSocketCases } from './cases.ts';
import type { WebSocketCase } from './cases.ts';
import { openWebSocketScene } from './scene.ts';
import type { Ends, WebSocketScene } from './scene.ts';
import { webSocketDeviations } from './websocket-deviations.ts';

export const webSocketSuite: Suite = {
  name: 'websocket',
  about:
    'frames by section of RFC 6455, as Autobahn takes them up, from each side: they pass, or both get the close that the section names',
  deviations: webSocketDeviations,
  run: async () => {
    await using scene = await openWebSocketScene();
    return { results: await runWebSocketCases(webSocketCases, scene), from: 'the checkout' };
  },
};

export type Sender = 'client' | 'server';

export async function runWebSocketCases(
  cases: readonly WebSocketCase[],
  scene: WebSocketScene,
): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = [];
  for (const sender of ['client', 'server'] as const)
    for (const test of cases) {
      const id = `${test.section} ${test.title}, of the ${sender}`;
      const ends = await scene.open();
      const why = await differenceOf(test, sender, ends);
      for (const { socket } of [ends.client, ends.server]) socket.destroy();
      results.push(why === undefined ? { id, state: 'passed' } : { id, state: 'failed', why });
    }
  return results;
}

async function differenceOf(test: WebSocketCase, sender: Sender, ends: Ends): Promise<string | undefined> {
  const [from, to] = sender === 'client' ? [ends.client, ends.server] : [ends.server, ends.client];
  const mask = (sender === 'client') === (test.isMaskWrong === true) ? undefined : testMask;
  const rightMask = sender === 'client' ? testMask : undefined;
  const before = rawFrame({ opcode: 1, payload: Buffer.from('before'), mask: rightMask });
  const octets = Buffer.concat(test.frames.map((frame) => rawFrame({ ...frame, mask })));
  from.socket.write(Buffer.concat([before, octets]));
  if (test.expect === 'passes') {
    const expected = Buffer.concat([before, octets]);
    await to.until(() => to.octets().length >= expected.length);
    return to.octets().equals(expected) ? undefined : `it arrives as ${shown(to.octets())}`;
  }
  const right = Buffer.concat([
    before,
    ...test.frames.slice(0, test.rightFrames ?? 0).map((frame) => rawFrame({ ...frame, mask })),
  ]);
  // What stood before it arrives, then a close: from the gateway to the server with a mask, to the client without.
  await to.until(() => closeIn(to.octets().subarray(right.length)) !== undefined);
  await from.until(() => closeIn(from.octets()) !== undefined);
  if (!to.octets().subarray(0, right.length).equals(right))
    return `what stood before it is lost: ${shown(to.octets())}`;
  const codes = [closeIn(to.octets().subarray(right.length)), closeIn(from.octets())];
  if (codes.every((code) => code === test.expect)) return undefined;
  return `a close with ${test.expect}, but ${codes.map((code) => code ?? 'none').join(' and ')}: ${shown(to.octets())}`;
}

/** The code of the one frame that stands there, if it is a whole close. */
function closeIn(octets: Buffer): number | undefined {
  const isMasked = ((octets[1] ?? 0) & 0x80) !== 0;
  const length = (octets[1] ?? 0) & 0x7f;
  const start = isMasked ? 6 : 2;
  if (octets[0] !== 0x88 || octets.length !== start + length || length < 2) return undefined;
  const payload = octets
    .subarray(start)
    .map((octet, at) => (isMasked ? octet ^ (octets[2 + (at % 4)] ?? 0) : octet));
  return decodeClose(Buffer.from(payload)).code;
}

function shown(octets: Buffer): string {
  return `${octets.subarray(0, 60).toString('hex')}${octets.length > 60 ? '…' : ''}`;
}
