// Records in the form in which OSV exports them.

interface WrittenRange {
  readonly type: string;
  readonly events: readonly Readonly<Record<string, string>>[];
}

interface OsvOptions {
  readonly id: string;
  readonly ecosystem?: string;
  readonly name?: string;
  readonly versions?: readonly string[];
  /** `introduced`, `fixed` and so on, one after the other. */
  readonly range?: readonly Readonly<Record<string, string>>[];
  readonly ranges?: readonly WrittenRange[];
  readonly severity?: string;
  readonly vector?: string;
  readonly aliases?: readonly string[];
  readonly withdrawn?: string;
  readonly modified?: string;
}

/** As text. */
export function osvRecord({
  id,
  ecosystem = 'npm',
  name = 'example',
  versions,
  range,
  ranges = range === undefined
    ? undefined
    : [{ type: ecosystem === 'PyPI' || ecosystem === 'Maven' ? 'ECOSYSTEM' : 'SEMVER', events: range }],
  severity,
  vector,
  aliases,
  withdrawn,
  modified = '2029-12-31T10:00:00Z',
}: OsvOptions): string {
  return JSON.stringify({
    schema_version: '1.7.3',
    id,
    modified,
    published: '2029-11-30T10:00:00Z',
    withdrawn,
    aliases,
    summary: `What is wrong with ${name}`,
    details: 'An attacker could do what nobody wants.\n\n# Impact\nAll of it.',
    ...(vector === undefined
      ? {}
      : { severity: [{ type: vector.startsWith('CVSS:4') ? 'CVSS_V4' : 'CVSS_V3', score: vector }] }),
    affected: [
      {
        package: { ecosystem, name, purl: `pkg:${ecosystem.toLowerCase()}/${name}` },
        ranges,
        versions,
        database_specific: { source: 'https://example.com/advisories' },
      },
    ],
    references: [{ type: 'WEB', url: 'https://example.com/' }],
    database_specific:
      severity === undefined
        ? { cwe_ids: ['CWE-79'] }
        : { severity, cwe_ids: ['CWE-79'], github_reviewed: true },
  });
}
