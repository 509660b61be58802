// A refused package in the form that its clients show: of a response most of them print one thing alone, and each another one.

import { Buffer } from 'node:buffer';
import type { DecidedPackage } from '../../policy/decision.ts';
import { advisoryText } from '../../policy/package-advisories.ts';
import type { ProxyError } from '../../protocol/error.ts';
import { problemType } from '../../protocol/problem-document.ts';
import { type PackageRegistry, versionText } from '../../understand/packages/package-request.ts';
import { type Denial, denialResponse, denialText } from './denial.ts';
import type { RefusalResponse } from './refusal.ts';

/** npm prints `error` of JSON, Maven a problem document; cargo, go, gem and pip have no use for either. */
const accepted: Readonly<Record<PackageRegistry, string>> = {
  npm: problemType,
  maven: problemType,
  oci: problemType,
  pypi: 'text/plain',
  cargo: 'text/plain',
  go: 'text/plain',
  rubygems: 'text/plain',
};

/**
 * How a refused package is responded to; undefined: as any request. The status is that of every denial: for 404 and 410 go asks the
 * next proxy, or the code host.
 */
export function packageResponder(
  { code }: ProxyError,
  fetched: DecidedPackage | undefined,
): ((denial: Denial) => RefusalResponse) | undefined {
  if (code !== 'policy_denied' || fetched === undefined) return undefined;
  return (denial) => {
    const { head, body } = denialResponse(denial, accepted[fetched.registry]);
    const told = toldBody(fetched, denial, body);
    const short = shortReason(fetched, denial);
    const headers = head.headers
      .with('content-length', String(told.length))
      // Newer gem, and some of NuGet's kind.
      .with('x-error-message', short)
      .with('npm-notice', short);
    return { head: { ...head, reasonPhrase: short, headers }, body: told };
  };
}

function toldBody({ registry }: DecidedPackage, denial: Denial, body: string): Buffer {
  if (registry !== 'oci') return Buffer.from(body);
  const { code, rule, traceId } = denial;
  const message = denialText(denial).split('\n', 1)[0] ?? '';
  const detail = { reason: code, rule, trace: traceId };
  return Buffer.from(JSON.stringify({ errors: [{ code: 'DENIED', message, detail }] }));
}

/** One line of ASCII: name and version have the characters that their reader lets through. */
function shortReason(fetched: DecidedPackage, { rule, traceId }: Denial): string {
  const { keptUntilMs, advisory, isUnattested } = fetched;
  const young =
    keptUntilMs === undefined
      ? 'is not allowed'
      : `is too young until ${new Date(keptUntilMs).toISOString().slice(0, 16)}Z`;
  const unattested = isUnattested === true ? 'has no provenance that a rule allows' : young;
  const why = advisory === undefined ? unattested : advisoryText(advisory);
  const by = rule === undefined || rule === 'default-deny' ? '' : `rule ${rule}, `;
  return `upstreamproxy: ${versionText(fetched).slice(0, nameShownMax)} ${why} (${by}trace ${traceId})`;
}

const nameShownMax = 120;
