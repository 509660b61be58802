// Asking the agent for a session that may less, by the relay that everything else goes through.

import {
  childAuthority,
  childEndOf,
  type ChildOffer,
  childOfferOf,
  type ChildRequest,
} from '../../protocol/child-lines.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { formatAuthority } from '../../http/authority.ts';
import { connectThroughRelay } from './connect-through-relay.ts';

export interface AskedChild extends AsyncDisposable {
  readonly offer: ChildOffer;
  /** Resolves when the session is over: with why, or undefined after it was given up here. */
  readonly ended: Promise<ProxyError | undefined>;
}

export interface ChildQuestion {
  readonly relay: { readonly host: string; readonly port: number };
  readonly request: ChildRequest;
}

/**
 * A session of its own for a command; it ends when this is disposed of, and when this process does.
 * @throws ProxyError of the agent or the gateway; usage where the relay is that of an agent which makes none
 */
export async function askForChild({ relay, request }: ChildQuestion): Promise<AskedChild> {
  const timeoutMs = defaultLimits.enrolTimeoutMs;
  const authority = formatAuthority(childAuthority);
  const socket = await connectThroughRelay({ relay, authority, timeoutMs });
  const lines: string[] = [];
  const first = Promise.withResolvers<string>();
  const over = Promise.withResolvers<ProxyError | undefined>();
  let [rest, isGivenUp, hasOffer] = ['', false, false];
  const lost = (): void => {
    const fault = new ProxyError(
      'tunnel_lost',
      'the agent closed the connection by which the session was made',
    );
    first.reject(fault);
    over.resolve(isGivenUp ? undefined : (lines.map(childEndOf).find((one) => one !== undefined) ?? fault));
  };
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    rest += text;
    if (rest.length > defaultLimits.agentBodyBytesMax) return void socket.destroy();
    const read = rest.split('\n');
    rest = read.pop() ?? '';
    for (const line of read) {
      if (hasOffer) lines.push(line);
      else first.resolve(line);
      hasOffer = true;
    }
  });
  socket
    .on('error', () => {})
    .once('end', lost)
    .once('close', lost)
    .resume();
  const timer = setTimeout(
    () => first.reject(new ProxyError('timeout', `the agent made no session within ${timeoutMs} ms`)),
    timeoutMs,
  );
  socket.write(`${JSON.stringify(request)}\n`);
  const giveUp = (): Promise<void> => {
    isGivenUp = true;
    socket.destroy();
    over.resolve(undefined);
    return Promise.resolve();
  };
  try {
    const offer = childOfferOf(await first.promise);
    return { offer, ended: over.promise, [Symbol.asyncDispose]: giveUp };
  } catch (error) {
    await giveUp();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
