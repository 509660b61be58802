// narrowSession of the library: a session that may less, made by the agent of this container.

import { ProxyError } from '../protocol/error.ts';
import { type OptionForm, requireKnownOptions, text, thing } from '../protocol/known-options.ts';
import type { Environment } from './hardening/environment-scrub.ts';
import { askForChild } from './relay/ask-child.ts';
import { relayAddressOf } from './relay/relay-address.ts';

export interface NarrowOptions {
  /** The text of a policy that narrows (docs/reference/policy.md). */
  readonly policy: string;
  /** At most that of the session that makes it, which is the default. */
  readonly lifetimeMs?: number;
  /** `http://127.0.0.1:PORT`. Default: the proxy of the environment (`https_proxy`, `HTTPS_PROXY`). */
  readonly relay?: string;
  /** Default: that of this process. */
  readonly environment?: Environment;
}

export interface NarrowedSession extends AsyncDisposable {
  readonly id: string;
  /** Of the relay on 127.0.0.1 that serves this session alone. */
  readonly port: number;
  /** For a command of this session, beside what it has anyway. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables of the session that made it, which the command must not get. */
  readonly unset: readonly string[];
  /** Resolves when the session is over: with why, or undefined after `close`. */
  readonly ended: Promise<ProxyError | undefined>;
  close(): Promise<void>;
}

const forms = {
  policy: text,
  lifetimeMs: {
    expected: 'a number of milliseconds',
    accepts: (value) => Number.isSafeInteger(value) && Number(value) > 0,
  },
  relay: text,
  environment: thing,
} satisfies Record<keyof NarrowOptions, OptionForm>;

/** See the library. */
export async function narrowSession(options: NarrowOptions): Promise<NarrowedSession> {
  requireKnownOptions('narrowSession', options, forms);
  const { policy, lifetimeMs, relay, environment = process.env } = options;
  if (policy === undefined)
    throw new ProxyError('config_invalid', 'narrowSession: the policy is missing (policy)');
  const child = await askForChild({
    relay: relayAddressOf(relay, environment),
    request: { policy, confined: false, ...(lifetimeMs === undefined ? {} : { lifetimeMs }) },
  });
  const { id, port, environment: env, replaces } = child.offer;
  const unset = replaces.filter((name) => !Object.hasOwn(env, name));
  const close = (): Promise<void> => Promise.resolve(child[Symbol.asyncDispose]());
  return { id, port, env, unset, ended: child.ended, close, [Symbol.asyncDispose]: close };
}
