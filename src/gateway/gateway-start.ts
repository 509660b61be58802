// What every phase of the start of a gateway has at hand.

import type { AuditEvent } from '../api/audit-event.ts';
import type { ProxyError } from '../protocol/error.ts';
import type { LimitName } from '../protocol/limits.ts';
import { alarmText } from './audit/alarms.ts';
import type { GatewayConfig } from './config/config.ts';
import type { ListeningSockets } from './listening-sockets.ts';
import type { LinkLogIn } from './admin/link-log-in.ts';
import type { HomeCredentials } from './credentials/request/home-credentials.ts';
import { Metrics } from './metrics.ts';
import type { LaunchSigner } from './open-custody.ts';
import { PublicOrigins } from './sessions/public-origins.ts';
import { EventTap } from './telemetry/event-tap.ts';
import { isSampled } from './telemetry/trace-sampling.ts';
import { newGatewayName, newIncarnation } from './tunnels/incarnation.ts';
import type { WorkerPlace } from './workers/worker-place.ts';

export interface GatewayOptions {
  /** The environment at start, for credentials of source `env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Of an embedded gateway: secrets of the caller's home. */
  readonly homes?: HomeCredentials;
  /** Of an embedded gateway: how somebody logs in to its console, and nobody else does. */
  readonly link?: LinkLogIn;
  readonly log?: (level: 'info' | 'warn' | 'error', message: string) => void;
  readonly clock?: () => number;
  /** Ports that are open already. */
  readonly sockets?: ListeningSockets;
  /** Of a worker: where it stands among the others. */
  readonly place?: WorkerPlace;
  /** Starts the process that has the key of the authority, where the configuration wants one. */
  readonly launchSigner?: LaunchSigner;
  /** Gives up a start that waits for a store that is away. */
  readonly signal?: AbortSignal;
}

/** What every phase of the start has at hand. */
export interface Start {
  readonly config: GatewayConfig;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly homes: HomeCredentials | undefined;
  readonly link: LinkLogIn | undefined;
  readonly launchSigner: LaunchSigner | undefined;
  readonly log: NonNullable<GatewayOptions['log']>;
  readonly clock: () => number;
  readonly sockets: ListeningSockets;
  readonly metrics: Metrics;
  /** Through which events go on to receivers of telemetry. */
  readonly tap: EventTap;
  /** What is opened goes here, and ends in the reverse order. */
  readonly stack: AsyncDisposableStack;
  readonly onFault: (error: ProxyError) => void;
  readonly onLimit: (limit: LimitName) => void;
  /** Counts events of sessions, and logs those that need a look. */
  readonly onSessionEvent: (event: AuditEvent) => void;
  /** Under which agents reach it. */
  readonly origins: PublicOrigins;
  /** Of a worker: where it stands among the others. */
  readonly place: WorkerPlace | undefined;
  /** Names this process: what other gateways know it by. */
  readonly incarnation: string;
  readonly signal: AbortSignal | undefined;
  /** Whether this process does what one of all workers does. Asked each time. */
  readonly isOnDuty: () => boolean;
}

export function beginStart(
  config: GatewayConfig,
  options: GatewayOptions,
  stack: AsyncDisposableStack,
): Start {
  const {
    environment = {},
    homes,
    link,
    log = () => undefined,
    clock = Date.now,
    sockets = {},
    place,
    signal,
    launchSigner,
  } = options;
  const { tracesSampled = 0 } = config.telemetry?.otlp ?? {};
  const metrics = new Metrics(
    tracesSampled === 0 ? undefined : (traceId) => isSampled(traceId, tracesSampled),
  );
  return {
    config,
    environment,
    homes,
    link,
    launchSigner,
    log,
    clock,
    sockets,
    metrics,
    tap: new EventTap(),
    stack,
    origins: new PublicOrigins(config),
    place,
    signal,
    incarnation: newIncarnation(place?.gatewayName ?? newGatewayName()),
    isOnDuty: () => place?.seat.isOnDuty ?? true,
    onFault: (error) => {
      // A store that is away is told once, when it goes.
      if (error.code === 'store_unavailable' && error.retryAfterSeconds !== undefined) return;
      log('error', error.message);
    },
    onLimit: (limit) => {
      metrics.countLimit(limit);
    },
    onSessionEvent: (event) => {
      metrics.count(event);
      const text = alarmText(event);
      if (text !== undefined) log('warn', text);
    },
  };
}
