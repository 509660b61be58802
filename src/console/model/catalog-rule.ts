// "Allow this" by the catalogue: the rule that includes the service which a refused request was for, as text for a policy file.

import type { AuditEvent } from '../../api/audit-event.ts';
import { type CatalogHosts, catalogHosts } from '../../api/catalog-hosts.ts';
import { type ForClaim, scalar } from './allow-rule.ts';

export interface KnownService {
  readonly entry: string;
  readonly title: string;
  /** What stands for `{tenant}` in the host that was asked for. */
  readonly tenant?: string;
  readonly hasGit: boolean;
}

/** Services that have the host of the request, on the usual port. A host alone is known: whether the entry lets the request through is the gateway's to say. */
export function servicesOf({ host, port, scheme, kind }: AuditEvent): readonly KnownService[] {
  if (host === undefined || kind !== 'exchange' || scheme !== 'https' || (port ?? 443) !== 443) return [];
  return catalogHosts.flatMap((service) => {
    const found = service.hosts.map((pattern) => tenantIn(pattern, host)).find((one) => one !== undefined);
    return found === undefined ? [] : [known(service, found)];
  });
}

function known({ entry, title, hasGit }: CatalogHosts, tenant: string): KnownService {
  return { entry, title, hasGit, ...(tenant === '' ? {} : { tenant }) };
}

/** Empty where the host is the pattern itself; undefined where it is another one. */
function tenantIn(pattern: string, host: string): string | undefined {
  if (pattern === host) return '';
  const [before = '', behind] = pattern.split('{tenant}');
  if (behind === undefined || !host.startsWith(before) || !host.endsWith(behind)) return undefined;
  const tenant = host.slice(before.length, host.length - behind.length);
  return /^[a-z0-9-]{1,63}$/.test(tenant) ? tenant : undefined;
}

export type CatalogAccess = 'read' | 'write';

export interface OfferedService {
  readonly service: KnownService;
  readonly access: CatalogAccess;
}

/** What a rule may let through for it. A request that posts may be a query, so reads alone are there for all. */
export function accessesOf({ git, method = 'GET' }: AuditEvent): readonly CatalogAccess[] {
  const reads = git === undefined ? method === 'GET' || method === 'HEAD' : git.operation === 'fetch';
  return reads ? ['read'] : ['read', 'write'];
}

/** A file of a policy with that rule alone. */
export function catalogRule(
  event: AuditEvent,
  { service, access }: OfferedService,
  claim?: ForClaim,
): string {
  const { git } = event;
  const use = [
    `access: ${access === 'read' ? 'read' : '[read, write]'}`,
    ...(service.tenant === undefined ? [] : [`tenant: ${scalar(service.tenant)}`]),
  ];
  const lines = [
    'rules:',
    `  - name: ${service.entry}`,
    `    include: catalog/${service.entry}`,
    ...(git === undefined || !service.hasGit
      ? []
      : [`    git: { repository: ${scalar(git.repository.replace(/^\/+/, ''))} }`]),
    `    catalog: { ${use.join(', ')} }`,
    ...(claim === undefined ? [] : [`    for: { ${scalar(claim.name)}: ${scalar(claim.value)} }`]),
  ];
  return `${lines.join('\n')}\n`;
}
