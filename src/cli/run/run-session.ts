// The session of one `run`: with the gateway that was named, or with one of its own. Loaded once the helper of the jail starts.

import { initUpstreamProxy, type InitOptions, type UpstreamProxy } from '../../agent/init.ts';
import { jailFacts, type JailFacts } from '../../agent/jail/jail-facts.ts';
import type { Jail } from '../../agent/jail/jail-process.ts';
import { initOptions, ownCommand, type AgentOptions } from '../agent/agent-options.ts';
import { captureNote } from '../agent/capture-note.ts';
import { cleanUpAfterKill } from '../agent/cleanup-after-kill.ts';
import { displacedNote } from '../agent/displaced-note.ts';
import type { EmbeddedGateway } from './embedded-gateway.ts';
import type { OwnGateway } from './own-gateway.ts';
import { sessionNote } from './session-note.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

export interface RunSession extends AsyncDisposable {
  readonly proxy: UpstreamProxy;
  readonly embedded: EmbeddedGateway | undefined;
}

/** What the command is started in. */
export interface RunJail {
  readonly opening: Promise<Jail | undefined>;
  /** Ports of the loopback outside that it reaches. */
  readonly allowLocal: readonly number[];
}

/** Brings the session up; everything that was opened is closed again if a step fails or the signal aborts. */
export async function openRunSession(
  options: AgentOptions,
  own: OwnGateway | undefined,
  { opening: jail, allowLocal }: RunJail,
  signal: AbortSignal,
): Promise<RunSession> {
  await using stack = new AsyncDisposableStack();
  if (own !== undefined) stack.use(own);
  const embedded = await own?.ready;
  stack.use(cleanUpAfterKill(ownCommand(), workloadEnvironment(process.env)));
  const proxy = stack.use(
    await initUpstreamProxy({
      ...initOptions(options),
      ...(embedded === undefined ? {} : ofEmbedded(embedded)),
      jail: factsOf(jail, allowLocal),
      entrances: async (ports) => {
        const local = allowLocal.filter((port) => port !== ports.relay);
        return await (await jail)?.listen?.({ ...ports, local });
      },
      onFailure: 'throw',
      signal,
    }),
  );
  if (!options.quiet) {
    const note = sessionNote({
      embedded,
      gatewayUrl: options.gatewayUrl,
      config: own?.options.config,
    });
    process.stderr.write(displacedNote(proxy.displaced) + captureNote(proxy) + note);
  }
  const owned = stack.move();
  return { proxy, embedded, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function ofEmbedded({ url, caPem, tokenFile }: EmbeddedGateway): InitOptions {
  return { gatewayUrl: url, gatewayCa: caPem, tokenFile };
}

function factsOf(
  jail: Promise<Jail | undefined>,
  allowLocal: readonly number[],
): Promise<JailFacts | undefined> {
  const facts = jail.then((opened) => {
    const seen = opened === undefined ? undefined : jailFacts(opened.report);
    if (seen === undefined || allowLocal.length === 0) return seen;
    const note = `jail: --allow-local ${allowLocal.join(', ')} is another way out of its network`;
    return { ...seen, networkIsolated: false, notes: [...seen.notes, note] };
  });
  // Who waits for it hears it; a start that fails earlier does not wait.
  facts.catch(() => {});
  return facts;
}
