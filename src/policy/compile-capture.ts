// What a rule keeps of bodies.

import { defaultLimits } from '../protocol/limits.ts';
import { parseByteSize } from './byte-size.ts';
import type { RuleCapture } from './decision.ts';
import type { RuleDocument } from './policy-schema.ts';
import { asList } from './schema-parts.ts';
import type { Report } from './yaml-source.ts';

export function compileCapture({ capture }: RuleDocument, report: Report): RuleCapture | undefined {
  if (capture === undefined) return undefined;
  const { capturedBodyBytes, capturedBodyBytesMax: max } = defaultLimits;
  const bytes = parseByteSize(capture.bytesMax ?? capturedBodyBytes);
  if (bytes < 1 || bytes > max)
    report(['capture', 'bytesMax'], `"bytesMax" is from 1 to ${max} bytes (capturedBodyBytesMax)`);
  const names = asList(capture.redact).map((name) => name.toLowerCase());
  return { bytesMax: Math.min(Math.max(bytes, 1), max), redact: [...new Set(names)] };
}

/** For people. */
export function captureText({ bytesMax, redact }: RuleCapture): string {
  const without = redact.length === 0 ? '' : `, without ${redact.join(', ')}`;
  return `${bytesMax} bytes of each${without}`;
}
