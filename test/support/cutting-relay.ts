// A TCP relay that breaks its connections: after so many octets, or now, with a time in which it lets nobody through.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

import { resetSocket } from '../../src/net/reset-socket.ts';

export interface CuttingRelay extends AsyncDisposable {
  readonly port: number;
  /** Where it leads to from now on: to each of them in turn. */
  leadTo(...ports: readonly number[]): void;
  /** How many connections it led there. */
  ledTo(port: number): number;
  /** Breaks what goes through after so many octets from now, again and again; 0 stops it. */
  cutEvery(octets: number): void;
  /** Breaks all that goes through now, and turns away the next connections, as many. */
  cut(turnedAway?: number): void;
  /** Connections that it is still going to turn away. */
  readonly turnedAway: number;
  /** How often it broke connections through which something went. */
  readonly cuts: number;
}

interface Passage {
  readonly front: Socket;
  readonly far: Socket;
  octets: number;
}

export async function cuttingRelay(): Promise<CuttingRelay> {
  const passages = new Set<Passage>();
  let leadsTo: readonly number[] = [];
  const led = new Map<number, number>();
  let turn = 0;
  let every = 0;
  let turnedAway = 0;
  let cuts = 0;
  const breakPassage = (passage: Passage): void => {
    if (!passages.delete(passage)) return;
    if (passage.octets > 0) cuts += 1;
    resetSocket(passage.front);
    resetSocket(passage.far);
  };
  const server = createServer((front) => {
    front.on('error', () => undefined);
    if (turnedAway > 0) {
      turnedAway -= 1;
      resetSocket(front);
      return;
    }
    const to = leadsTo[(turn += 1) % leadsTo.length] ?? 0;
    led.set(to, (led.get(to) ?? 0) + 1);
    const far = connect(to, '127.0.0.1');
    far.on('error', () => undefined);
    const passage = { front, far, octets: 0 };
    passages.add(passage);
    const lead = (from: Socket, to: Socket): void => {
      from.on('data', (chunk: Buffer) => {
        // Part of the chunk at which the count is full still goes through: the cut is at an octet, not at a chunk.
        const left = every > 0 ? every - passage.octets : Infinity;
        passage.octets += chunk.length;
        if (chunk.length >= left) {
          to.write(chunk.subarray(0, left));
          breakPassage(passage);
        } else if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => from.resume());
      from.on('end', () => to.end());
      from.on('close', () => {
        passages.delete(passage);
        to.destroy();
      });
    };
    lead(front, far);
    lead(far, front);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // A server that listens on a port has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    leadTo: (...ports) => void (leadsTo = ports),
    ledTo: (port) => led.get(port) ?? 0,
    cutEvery: (octets) => {
      every = octets;
      for (const passage of passages) passage.octets = 0;
    },
    cut: (away = 0) => {
      turnedAway = away;
      for (const passage of passages) breakPassage(passage);
    },
    get turnedAway() {
      return turnedAway;
    },
    get cuts() {
      return cuts;
    },
    [Symbol.asyncDispose]: async () => {
      for (const { front, far } of passages) {
        front.destroy();
        far.destroy();
      }
      server.close();
      await once(server, 'close');
    },
  };
}
