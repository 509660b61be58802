// `upstreamproxy credential`: log-ins of operators at authorization servers, for credentials of kind oauth-login.

import { setTimeout as wait } from 'node:timers/promises';
import { authorizationServerOf } from '../../gateway/credentials/kept/authorization-server.ts';
import { KeptSeal } from '../../gateway/credentials/kept/kept-seal.ts';
import { keptIdOf } from '../../gateway/credentials/kept/kept-value.ts';
import { keptValueOf, type LogInWay, logInByDevice } from '../../gateway/credentials/kept/operator-log-in.ts';
import { newProofKey, ProofKey } from '../../gateway/credentials/kept/proof-key.ts';
import type { GivenTokens } from '../../gateway/credentials/kept/token-endpoint.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { KeptToken } from '../../store/kept-token-store.ts';
import { credentialDefinition } from '../commands/credential-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { placesOfConfig } from '../gateway/identity-access.ts';
import { groupOf } from '../terminal/command.ts';
import { tellDone } from '../terminal/notes.ts';
import { tableStyle } from '../terminal/table-style.ts';
import { harmlessText, jsonLine, textTable } from '../terminal/text-table.ts';
import { logInByBrowser } from './browser-log-in.ts';
import { openWay, settingsOf } from './log-in-way.ts';
import { openOperatorDesk } from './operator-audit.ts';
import { openStoreToRead } from './operator-store.ts';
import { revokeLogIn } from './revoke-log-in.ts';

type Actions = (typeof credentialDefinition)['actions'];

async function login({ options, arguments: { NAME: name } }: Input<Actions[0]>): Promise<number> {
  const config = await gatewayOfOptions(options);
  await using stack = new AsyncDisposableStack();
  const { fetch, ca, secret, ...asked } = await openWay(config, name, stack);
  const { settings } = asked;
  const server = await authorizationServerOf(settings, fetch, ca);
  const proofJwk = settings.dpop ? newProofKey() : undefined;
  const proofKey = proofJwk === undefined ? undefined : new ProofKey(proofJwk);
  const client = { clientId: settings.clientId, auth: server.auth, secret, proofKey, ca };
  const way: LogInWay = { ...asked, server, client };
  // Before anybody logs in: what comes of it has to have its place.
  const signingKey = await (await placesOfConfig(config)).signingKey.open();
  const desk = stack.use(await openOperatorDesk(config));
  const seal = new KeptSeal(desk.store.keptTokens, signingKey);
  await seal.renewIfLost();
  const tokens = await tokensOf(way, options);
  const id = keptIdOf(name);
  const value = keptValueOf(way, tokens, proofJwk);
  await desk.store.keptTokens.put(id, {
    sealed: await seal.seal(id, value),
    lifetimeMs: tokens.lifetimeMs,
  });
  const message = `${desk.operator} logged in for credential ${name}.`;
  const details = { credential: name, operator: desk.operator };
  await desk.record({ action: 'credential_logged_in', nowMs: Date.now(), message, details });
  const ends =
    tokens.refreshToken === undefined
      ? tokens.lifetimeMs === undefined
        ? '; the token has no end that is known'
        : `; the server gave no refresh token, so it ends at ${timeIn(tokens.lifetimeMs)}`
      : '';
  tellDone(options, `logged in for ${name}${ends}\n`);
  return 0;
}

function tokensOf(way: LogInWay, options: Input<Actions[0]>['options']): Promise<GivenTokens> {
  const byDevice = options.device || way.server.authorizationUrl === undefined;
  if (!byDevice) return logInByBrowser(way, { opens: !options['no-browser'], port: options.port ?? 0 });
  return logInByDevice(
    way,
    ({ url, code, whole }) => {
      const direct = whole === undefined ? '' : `\nor open ${whole}`;
      process.stderr.write(harmlessText(`open ${url} and enter ${code}${direct}`) + '\n');
    },
    (ms) => wait(ms),
  );
}

async function logout({ options, arguments: { NAME: name } }: Input<Actions[1]>): Promise<number> {
  const config = await gatewayOfOptions(options);
  settingsOf(config, name);
  await using stack = new AsyncDisposableStack();
  const desk = stack.use(await openOperatorDesk(config));
  const { keptTokens } = desk.store;
  const id = keptIdOf(name);
  if ((await keptTokens.read(id)) === undefined)
    throw new ProxyError('usage', `nobody is logged in for ${name}`);
  if (!options.forget) await revokeLogIn(config, name, { stack, keptTokens });
  await keptTokens.forget(id);
  const message = `${desk.operator} logged out of credential ${name}${options.forget ? ', without telling the server' : ''}.`;
  const details = { credential: name, operator: desk.operator };
  await desk.record({ action: 'credential_logged_out', nowMs: Date.now(), message, details });
  tellDone(options, `logged out of ${name}\n`);
  return 0;
}

async function list({ options }: Input<Actions[2]>): Promise<number> {
  const config = await gatewayOfOptions(options);
  await using store = await openStoreToRead(config);
  const rows = await store.keptTokens.list(defaultLimits.keptTokensListed);
  const known = new Map(rows.map((row) => [row.id, row]));
  const named = Object.entries(config.credentials).flatMap(([name, { kind }]) =>
    kind === 'oauth-login' ? [name] : [],
  );
  const found = named.map((name) => stateOf(name, known.get(keptIdOf(name))));
  if (options.json) {
    process.stdout.write(found.map(jsonLine).join(''));
    return 0;
  }
  const title = ['credential', 'state', 'ends', 'written'];
  const lines = found.map(({ credential, state, word, ends, written }) => [
    credential,
    word === undefined ? state : `${state} (${word})`,
    ends ?? '-',
    written ?? '-',
  ]);
  process.stdout.write(textTable([title, ...lines], tableStyle({ hasTitle: true })));
  return 0;
}

interface ShownState {
  readonly credential: string;
  readonly state: 'none' | 'held' | 'refused' | 'asking';
  readonly word?: string;
  /** Of the access token. */
  readonly ends?: string;
  readonly written?: string;
}

function stateOf(credential: string, row: KeptToken | undefined): ShownState {
  if (row === undefined) return { credential, state: 'none' };
  const { state, word, claimedBy, lifetimeMs, ageMs } = row;
  const written = timeIn(-ageMs);
  if (state === 'refused') return { credential, state, ...(word === undefined ? {} : { word }), written };
  return {
    credential,
    state: claimedBy === undefined ? 'held' : 'asking',
    ...(lifetimeMs === undefined ? {} : { ends: timeIn(lifetimeMs) }),
    written,
  };
}

function timeIn(ms: number): string {
  return `${new Date(Date.now() + ms).toISOString().slice(0, 19)}Z`;
}

export const credentialCommand = groupOf(credentialDefinition, { login, logout, list });
