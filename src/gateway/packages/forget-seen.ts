// An operator lets the store forget when versions were seen first, by whatever way who does it came: it leaves its event.

import { type RegistryRoot, sourceOf } from '../../policy/known-package.ts';
import { parseRegistryRoot } from '../../policy/compile-packages.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { FirstSeenStore, SeenRange, SeenRow } from '../../store/first-seen-store.ts';
import type { PackageRegistry } from '../../understand/packages/package-request.ts';
import { nameIn } from '../../understand/packages/read-package.ts';
import type { SessionStep } from '../audit/session-audit.ts';

export interface ForgetDesk {
  readonly firstSeen: FirstSeenStore;
  /** Who does it, for the audit. */
  readonly operator: string;
  /** Resolves when the event is stored; throws `audit_unavailable`. */
  readonly record: (step: SessionStep) => Promise<void>;
}

export interface ForgetWish {
  readonly registry: PackageRegistry;
  /** Where the registry begins; undefined: all of that kind. */
  readonly index?: string | undefined;
  /** Undefined: all of the registry. */
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  /** It is only told what would be forgotten. */
  readonly dry: boolean;
}

export interface SeenRecord {
  /** `https://registry.example.com/` */
  readonly at: string;
  readonly name: string;
  readonly item: string;
  readonly firstSeen: string;
  readonly digest?: string;
  /** With which the registry was asked. */
  readonly credentials: readonly string[];
}

export interface Forgotten {
  readonly records: readonly SeenRecord[];
  /** Those that are left, or would be: do it again. */
  readonly left: number;
}

/** Of so many the event says which. */
const namedInEvent = 20;

/** At most `packagesForgottenMax` at once. @throws ProxyError usage, audit_unavailable, store_* */
export async function forgetSeen(
  { firstSeen, operator, record }: ForgetDesk,
  wish: ForgetWish,
  nowMs: number,
): Promise<Forgotten> {
  const range = rangeOf(wish);
  const { packagesForgottenMax: max } = defaultLimits;
  const { rows, count } = await firstSeen.list(range, max);
  const found = { records: rows.map(recordOf), left: count - rows.length };
  if (wish.dry || rows.length === 0) return found;
  const { registry, index, name, version } = wish;
  // Stored first: nobody forgets what no event tells of.
  await record({
    action: 'packages_forgotten',
    nowMs,
    message: `When ${String(rows.length)} versions or files of ${wishText(wish)} were seen first was forgotten, and what was promised of them then.`,
    details: {
      operator,
      registry,
      index,
      name,
      version,
      count: rows.length,
      some: rows.slice(0, namedInEvent).map((row) => `${row.name} ${row.item}`),
    },
  });
  await firstSeen.forget(range, max);
  return found;
}

export function wishText({ registry, index, name, version }: Omit<ForgetWish, 'dry'>): string {
  const what = name === undefined ? 'all packages' : `${name}${version === undefined ? '' : `@${version}`}`;
  return `${what} of ${registry}${index === undefined ? '' : ` at ${index}`}`;
}

function rangeOf({ registry, index, name, version }: ForgetWish): SeenRange {
  if (name === undefined && (index === undefined || version !== undefined))
    throw new ProxyError('usage', 'which package? name one, or a registry as a whole by its index');
  const root = index === undefined ? undefined : parseRegistryRoot(index);
  if (index !== undefined && root === undefined)
    throw new ProxyError('usage', 'the index is no root of a registry; write https://HOST/PATH/');
  // Behind it, credentials follow, or nothing.
  const sources =
    root === undefined ? `${JSON.stringify([registry]).slice(0, -1)},` : sourceAt(registry, root);
  return { sources, name: name === undefined ? undefined : nameIn(registry, name), item: version };
}

const sourceAt = (registry: PackageRegistry, root: RegistryRoot): string =>
  sourceOf({ registry, root }, root).slice(0, -1);

function recordOf({ source, name, item, firstMs, digest }: SeenRow): SeenRecord {
  // Only SeenVersions writes it.
  const [, scheme, host, port, path, ...credentials] = JSON.parse(source) as readonly string[];
  const isUsual = Number(port) === (scheme === 'https' ? 443 : 80);
  const firstSeen = new Date(firstMs).toISOString();
  return {
    at: `${scheme ?? ''}://${host ?? ''}${isUsual ? '' : `:${String(port)}`}${path ?? ''}/`,
    name,
    item,
    firstSeen,
    credentials,
    ...(digest === '' ? {} : { digest }),
  };
}
