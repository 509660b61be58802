// `upstreamproxy packages report`: which packages went into a session, of the store here or of a gateway elsewhere.

import { versionText } from '../../understand/packages/package-request.ts';
import { cycloneDx } from '../../gateway/packages/cyclonedx.ts';
import { type BilledPackage, PackageBill, type SessionPackages } from '../../api/package-bill.ts';
import { ProxyError } from '../../protocol/error.ts';
import { packageVersion } from '../../system/package-version.ts';
import type { packagesDefinition } from '../commands/packages-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { withProgress } from '../terminal/progress.ts';
import { tableStyle } from '../terminal/table-style.ts';
import { jsonLine, printableText, textTable } from '../terminal/text-table.ts';
import type { EventPage } from './operator-backend.ts';
import { openOperatorBackend } from './operator-place.ts';

type ReportInput = Input<(typeof packagesDefinition)['actions'][3]>;

const pageEvents = 1000;

export async function reportPackages({
  options,
  arguments: { SESSION: sessionId },
}: ReportInput): Promise<number> {
  const { json, format } = options;
  if (json && format !== 'text') throw new ProxyError('usage', 'give --json or --format, not both');
  await using backend = await openOperatorBackend(options, 'read');
  const bill = new PackageBill();
  let seen = 0;
  await withProgress(
    options,
    () => `${String(seen)} events`,
    async (step) => {
      let before: string | undefined;
      do {
        const page: EventPage = await backend.events({ sessionId }, pageEvents, before);
        for (const event of page.events) bill.note(event);
        seen += page.events.length;
        step();
        before = page.next;
      } while (before !== undefined);
    },
  );
  if (seen === 0)
    throw new ProxyError('session_unknown', `the audit has nothing of a session ${printableText(sessionId)}`);
  const report = bill.of(sessionId);
  if (format === 'cyclonedx') {
    const made = { nowMs: Date.now(), programVersion: packageVersion() };
    process.stdout.write(jsonLine(cycloneDx(report, made)));
  } else process.stdout.write(json ? jsonLine(report) : reportText(report));
  return 0;
}

function reportText({ packages, hidden, refused }: SessionPackages): string {
  const style = tableStyle({ hasTitle: true });
  const came = packages.map((one) => [
    one.registry,
    `${one.name}@${one.version}`,
    ageOf(one),
    one.fetched.slice(0, 19),
    one.rule ?? '-',
    one.installScripts ?? '-',
    one.digest ?? '-',
  ]);
  const parts = [
    packages.length === 0
      ? 'No package came.\n'
      : textTable([['registry', 'package', 'age', 'fetched', 'rule', 'scripts', 'digest'], ...came], style),
  ];
  if (hidden.length > 0) {
    const rows = hidden.map(({ registry, name, count, versions }) => [
      registry,
      name,
      String(count),
      versions.slice(-versionsShown).join(', '),
    ]);
    parts.push(
      `\nHidden from it:\n`,
      textTable([['registry', 'package', 'versions', 'such as'], ...rows], style),
    );
  }
  if (refused.length > 0) {
    const rows = refused.map(({ registry, name, version, requests, because }) => [
      registry,
      versionText({ name, version }),
      String(requests),
      because,
    ]);
    parts.push(`\nRefused:\n`, textTable([['registry', 'package', 'requests', 'because'], ...rows], style));
  }
  return parts.join('');
}

const versionsShown = 5;
const hourMs = 3_600_000;

/** When it came, not now. */
function ageOf({ published, fetched }: BilledPackage): string {
  if (published === undefined) return '-';
  const hours = Math.floor((Date.parse(fetched) - Date.parse(published)) / hourMs);
  return hours < 48 ? `${String(hours)}h` : `${String(Math.floor(hours / 24))}d`;
}
