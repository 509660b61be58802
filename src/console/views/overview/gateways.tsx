// The gateways on the store, and more of the one that serves this page.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { countText, durationText, momentText, plural, shortId } from '../../model/display.ts';
import { Clean } from '../../parts/clean.tsx';
import { type Asked, useAsked, useDesk } from '../../parts/operator.ts';

type GatewayLine = OutputOf<'gateways'>['items'][number];

interface GatewaysProps {
  readonly health: Asked<OutputOf<'health'>>;
  readonly gateways: readonly GatewayLine[] | undefined;
}

/** Undefined where one may not ask, or nothing is known yet. */
export function useGateways(): readonly GatewayLine[] | undefined {
  const { who } = useDesk();
  const path = who.sees === undefined ? '/v1/gateways' : undefined;
  return useAsked({ operation: 'gateways', path, everyMs: 5000 }).value?.items;
}

export function Gateways({ health, gateways = [] }: GatewaysProps): ReactElement {
  return (
    <section>
      <div className="sech">
        <h2>Gateways</h2>
        <span className="sub">
          {gateways.length > 1
            ? 'on the same store; below, the one that serves this page'
            : 'the one that serves this page'}
          {health.fault === undefined ? '' : `, as of ${momentText(health.atMs ?? 0, Date.now())}`}
        </span>
      </div>
      {gateways.length > 1 ? (
        <div className="bars">
          {gateways.map((one) => (
            <div className="pairline" key={one.gateway}>
              <span className="el">
                <Clean text={one.address ?? shortId(one.gateway)} max={120} />
              </span>
              <span className={`sub el ${isWell(one) ? '' : 'warn'}`}>{stateOf(one)}</span>
            </div>
          ))}
        </div>
      ) : null}
      <Own health={health.value} />
    </section>
  );
}

export function isWell({ state, upToDate }: GatewayLine): boolean {
  return state === 'left' || (state === 'serving' && upToDate);
}

function stateOf({ state, upToDate, processes }: GatewayLine): string {
  const workers = processes > 1 ? `, ${processes} processes` : '';
  switch (state) {
    case 'serving':
      return upToDate ? `serving${workers}` : `serving${workers}, has not taken the newest change`;
    case 'draining':
      return `draining${workers}`;
    case 'left':
      return 'ended';
    case 'lost':
      return 'nothing is heard of it';
  }
}

function Own({ health }: { readonly health: OutputOf<'health'> | undefined }): ReactElement | null {
  if (health === undefined) return null;
  const { version, tunnels, started, now, policy, audit, followers } = health;
  const up = Math.floor((Date.parse(now) - Date.parse(started)) / 60_000) * 60_000;
  return (
    <dl className="kv">
      <dt>version</dt>
      <dd>{version}</dd>
      <dt>up for</dt>
      <dd>{up < 60_000 ? 'less than a minute' : durationText(up)}</dd>
      {tunnels === undefined ? null : (
        <>
          <dt>tunnels</dt>
          <dd>{countText(tunnels)}</dd>
        </>
      )}
      <dt>policy</dt>
      <dd className="mono">{policy.version}</dd>
      <dt>audit</dt>
      <dd>{audit}</dd>
      {followers === undefined ? null : (
        <>
          <dt>following</dt>
          <dd>{plural(followers, 'page or program', 'pages or programs')}</dd>
        </>
      )}
    </dl>
  );
}
