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

/** Brings the session up; everything that was opened is closed again if a step fails or the signal aborts. */
export async function openRunSession(
  options: AgentOptions,
  own: OwnGateway | undefined,
  jail: Promise<Jail | undefined>,
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
      jail: factsOf(jail),
      entrances: async (ports) => await (await jail)?.listen?.(ports),
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

function factsOf(jail: Promise<Jail | undefined>): Promise<JailFacts | undefined> {
  const facts = jail.then((opened) => (opened === undefined ? undefined : jailFacts(opened.report)));
  // Who waits for it hears it; a start that fails earlier does not wait.
  facts.catch(() => {});
  return facts;
}
