// A gateway that `run` starts for itself: begun first of all, for it takes longest to be ready, with a folder that keeps its audit alone.

import type { AgentOptions } from '../agent/agent-options.ts';
import { type EmbeddedGateway, startEmbeddedGateway } from './embedded-gateway.ts';
import type { RunConsole } from './run-console.ts';
import { keepAuditOnly, makeRunDirectory } from './state-directory.ts';

export interface EmbeddedOptions {
  /** The folder below which its own is made. */
  readonly home: string;
  readonly policies: readonly string[];
  readonly config: string | undefined;
  /** No policy decides, whatever the configuration says. */
  readonly observe?: boolean;
  /** Changes of the policy's files take effect. */
  readonly followsPolicy?: boolean;
  /** Secrets of the home that it puts on. */
  readonly homes: Parameters<typeof startEmbeddedGateway>[0]['homes'];
  readonly console: Pick<RunConsole, 'port' | 'isByAddress'> | undefined;
}

/** Disposing it, also before it is ready and more than once, ends the process and removes keys and certificates. */
export interface OwnGateway extends AsyncDisposable {
  readonly options: EmbeddedOptions;
  /** Rejects with what the gateway reports, cancelled, timeout. */
  readonly ready: Promise<EmbeddedGateway>;
}

export function beginOwnGateway(
  { captureLoopback }: Pick<AgentOptions, 'captureLoopback'>,
  options: EmbeddedOptions,
  signal: AbortSignal,
): OwnGateway {
  const { home, policies, config, observe = false, followsPolicy = false, homes, console: ui } = options;
  const directory = makeRunDirectory(home, Date.now());
  const args = [
    ...policies.flatMap((file) => ['--policy', file]),
    ...(config === undefined ? [] : ['--config', config]),
    ...(observe ? ['--observe'] : []),
    ...(followsPolicy ? ['--follow-policy'] : []),
    ...(ui === undefined ? [] : ['--ui-port', String(ui.port)]),
    ...(ui?.isByAddress === true ? ['--ui-by-address'] : []),
    // Its origins' names, too, must not be led to the agent.
    ...(captureLoopback ? ['--keep-name-servers'] : []),
  ];
  const ready = directory.then((stateDirectory) =>
    startEmbeddedGateway({ stateDirectory, args, environment: process.env, homes, signal }),
  );
  // Who waits for it hears it; a start that fails earlier does not wait.
  ready.catch(() => {});
  return {
    options,
    ready,
    [Symbol.asyncDispose]: async () => {
      await (await ready.catch(() => undefined))?.close();
      const made = await directory.catch(() => undefined);
      if (made !== undefined) await keepAuditOnly(made);
    },
  };
}
