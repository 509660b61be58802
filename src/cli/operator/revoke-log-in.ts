// A log-in ends at the server that gave its tokens (RFC 7009), while no gateway asks for new ones, which would live on.

import { setTimeout as wait } from 'node:timers/promises';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import { authorizationServerOf } from '../../gateway/credentials/kept/authorization-server.ts';
import { KeptSeal } from '../../gateway/credentials/kept/kept-seal.ts';
import { keptIdOf, keptValueSchema } from '../../gateway/credentials/kept/kept-value.ts';
import { ProofKey } from '../../gateway/credentials/kept/proof-key.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { KeptToken, KeptTokenStore } from '../../store/kept-token-store.ts';
import { placesOfConfig } from '../gateway/identity-access.ts';
import { openWay } from './log-in-way.ts';

export interface Revoking {
  readonly stack: AsyncDisposableStack;
  readonly keptTokens: KeptTokenStore;
}

/** @throws ProxyError credential_unavailable, config_invalid */
export async function revokeLogIn(
  config: GatewayConfig,
  name: string,
  { stack, keptTokens }: Revoking,
): Promise<void> {
  const way = await openWay(config, name, stack);
  const server = await authorizationServerOf(way.settings, way.fetch, way.ca);
  const signingKey = await (await placesOfConfig(config)).signingKey.open();
  const seal = new KeptSeal(keptTokens, signingKey);
  const id = keptIdOf(name);
  const holderId = `logout ${process.pid}`;
  const row = await claimed(keptTokens, id, holderId);
  if (row === undefined) return;
  try {
    const value = keptValueSchema.safeParse(await seal.open(id, row.sealed)).data;
    if (value === undefined)
      throw new ProxyError(
        'credential_unavailable',
        `the tokens of ${name} are sealed by a key that is lost; revoke them at the server, and run this with --forget`,
      );
    const url = server.revocationUrl ?? value.revocationUrl;
    if (url === undefined)
      throw new ProxyError(
        'config_invalid',
        `the server of ${name} names no place to revoke tokens; write revocationUrl, or revoke them there and run this with --forget`,
      );
    const proofKey = value.proofKey === undefined ? undefined : new ProofKey(value.proofKey);
    const client = {
      clientId: value.clientId,
      auth: value.clientAuth,
      secret: way.secret,
      proofKey,
      ca: way.ca,
    };
    const { accessToken, refreshToken } = value;
    const given = [
      ...(refreshToken === undefined ? [] : [{ token: refreshToken, token_type_hint: 'refresh_token' }]),
      { token: accessToken, token_type_hint: 'access_token' },
    ];
    for (const form of given) await way.endpoint.revoke(client, { url, form, nowMs: way.clock() });
  } catch (error) {
    await keptTokens.letGo(id, { version: row.version, holderId, isSent: false });
    throw error;
  }
}

/** The row as nobody else can renew it meanwhile; undefined if it is gone. @throws ProxyError credential_unavailable */
async function claimed(
  keptTokens: KeptTokenStore,
  id: string,
  holderId: string,
): Promise<KeptToken | undefined> {
  const { keptTokenClaimMs: claimMs, keptTokenRetryMs, keptTokenWaitMs } = defaultLimits;
  for (let waitedMs = 0; waitedMs < keptTokenWaitMs; waitedMs += keptTokenRetryMs) {
    const row = await keptTokens.read(id);
    if (row === undefined || row.state === 'refused') return row;
    const claim = await keptTokens.claim(id, { version: row.version, holderId, claimMs });
    if (claim.kind === 'claimed') return row;
    if (claim.kind === 'taken') await wait(keptTokenRetryMs);
  }
  throw new ProxyError('credential_unavailable', 'gateways ask for new tokens all the time; try again');
}
