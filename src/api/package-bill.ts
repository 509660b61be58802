// Which packages went into a session, from the events of its audit: what came, what was hidden from it, and what it was refused.

import type { AuditEvent } from './audit-event.ts';
import { ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';

export interface PackageName {
  readonly registry: string;
  readonly host: string;
  readonly name: string;
}

/** What came of one version; where files of a version differ, of one of them. */
export interface BilledPackage extends PackageName {
  readonly version: string;
  /** `sha512-…`, where it was checked to be what the registry promises. */
  readonly digest?: string;
  /** RFC 3339, as far as the gateway had to know it. */
  readonly published?: string;
  /** Whether something of it runs when it is installed, where a rule had that told. */
  readonly installScripts?: 'yes' | 'no' | 'unknown';
  /** RFC 3339: when it came first. */
  readonly fetched: string;
  readonly requests: number;
  /** Which allowed it last. */
  readonly rule?: string;
}

export interface HiddenPackage extends PackageName {
  /** Of one list, the most that were hidden. */
  readonly count: number;
  /** As far as events name them. */
  readonly versions: readonly string[];
}

export interface RefusedPackage extends PackageName {
  readonly version?: string;
  readonly requests: number;
  /** Why, as the workload was told last. */
  readonly because: string;
}

export interface SessionPackages {
  readonly session: string;
  readonly packages: readonly BilledPackage[];
  readonly hidden: readonly HiddenPackage[];
  readonly refused: readonly RefusedPackage[];
}

/** Takes events in any order. */
export class PackageBill {
  readonly #packages = new Map<string, BilledPackage>();
  readonly #hidden = new Map<string, HiddenPackage>();
  readonly #refused = new Map<string, RefusedPackage>();

  /** @throws ProxyError usage for more than fits */
  note(event: AuditEvent): void {
    const { kind, verdict, package: facts, host = '' } = event;
    if (kind !== 'exchange' || facts === undefined) return;
    const { registry, name } = facts;
    const what = { registry, host, name };
    if (verdict === 'deny') this.#noteRefused(what, event);
    else if (facts.isArchive !== true) this.#noteHidden(what, event);
    else if (isWhole(event)) this.#noteCame(what, event);
    const count = this.#packages.size + this.#hidden.size + this.#refused.size;
    if (count > defaultLimits.packageBillMax)
      throw new ProxyError(
        'usage',
        `the session asked for more than ${String(defaultLimits.packageBillMax)} packages (packageBillMax)`,
        { limit: 'packageBillMax' },
      );
  }

  of(session: string): SessionPackages {
    return {
      session,
      packages: sorted(this.#packages),
      hidden: sorted(this.#hidden),
      refused: sorted(this.#refused),
    };
  }

  #noteCame(what: PackageName, { package: facts, time, rule }: AuditEvent): void {
    const { version = '', digest, published, installScripts } = facts ?? {};
    const key = JSON.stringify([what, version, digest]);
    const known = this.#packages.get(key);
    const [isFirst, isLast] = [known === undefined || time < known.fetched, (known?.fetched ?? '') <= time];
    this.#packages.set(key, {
      ...known,
      ...what,
      version,
      ...(digest === undefined ? {} : { digest }),
      ...(published === undefined ? {} : { published }),
      ...(installScripts === undefined ? {} : { installScripts }),
      fetched: isFirst ? time : (known?.fetched ?? time),
      requests: (known?.requests ?? 0) + 1,
      ...(isLast && rule !== undefined ? { rule } : {}),
    });
  }

  #noteHidden(what: PackageName, { details }: AuditEvent): void {
    const { hidden, hiddenVersions } = details ?? {};
    if (typeof hidden !== 'number' || hidden === 0) return;
    const key = JSON.stringify(what);
    const known = this.#hidden.get(key);
    const named = Array.isArray(hiddenVersions)
      ? hiddenVersions.filter((one) => typeof one === 'string')
      : [];
    const versions = [...new Set([...(known?.versions ?? []), ...named])].slice(
      0,
      defaultLimits.billHiddenVersionsMax,
    );
    this.#hidden.set(key, { ...what, count: Math.max(known?.count ?? 0, hidden), versions });
  }

  #noteRefused(what: PackageName, event: AuditEvent): void {
    const { package: facts, message, errorCode, rule, count = 1 } = event;
    const version = facts?.version;
    const key = JSON.stringify([what, version]);
    const because = message ?? [errorCode, rule].filter((one) => one !== undefined).join(', ');
    const requests = (this.#refused.get(key)?.requests ?? 0) + count;
    this.#refused.set(key, { ...what, ...(version === undefined ? {} : { version }), requests, because });
    this.#noteHidden(what, event);
  }
}

/** A HEAD brings nothing, and a part of it is counted as it: what else came before is not known. */
const isWhole = ({ verdict, method, status = 0, package: facts }: AuditEvent): boolean =>
  verdict === 'allow' && method !== 'HEAD' && status >= 200 && status <= 299 && facts?.version !== undefined;

const sorted = <T>(found: ReadonlyMap<string, T>): readonly T[] =>
  [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
