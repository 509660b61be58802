// The forms in which a value can leave: as clients write texts, as numbers of its octets, and inside of what was encoded once or twice.

import { Buffer } from 'node:buffer';
import { base64Forms } from '../scrub/secret-forms.ts';
import { percentForms, writtenForms } from '../scrub/written-forms.ts';

/** A shorter value could be guessed, and would be met by chance. */
export const leakValueBytesMin = 16;
/** As many letters and digits of a form make it one that is found whatever stands between them, in any case. */
const looseBytesMin = 16;
/** Of a longer text what was encoded twice is not made: a table of it would be large, and its lines are searched for too. */
const nestedBytes = 512;
/** First and last line of PEM: known to everybody. */
const pemBorder = '-----';

export interface LeakForms {
  /** Letters and digits alone, in lower case. */
  readonly loose: ReadonlySet<string>;
  /** As they stand, where too few letters and digits are in them. */
  readonly exact: ReadonlySet<string>;
}

/** None for a value that is too short. */
export function leakForms(value: string): LeakForms {
  const [loose, exact] = [new Set<string>(), new Set<string>()];
  for (const text of textAndLines(value)) {
    for (const form of formsOf(text)) {
      const core = lettersAndDigits(form);
      if (core.length >= looseBytesMin) loose.add(core);
      else if (Buffer.byteLength(form) >= leakValueBytesMin) exact.add(form);
    }
  }
  return { loose, exact };
}

function lettersAndDigits(form: string): string {
  return form.replaceAll(/[^A-Za-z0-9]/g, '').toLowerCase();
}

function textAndLines(value: string): readonly string[] {
  const lines = value.split(/\r\n|\r|\n/);
  const texts = lines.length === 1 ? lines : [value, ...lines];
  return texts.filter(
    (text) => Buffer.byteLength(text) >= leakValueBytesMin && !(text !== value && text.startsWith(pemBorder)),
  );
}

function* formsOf(text: string): Iterable<string> {
  yield* writtenForms(text);
  const base64 = base64Forms(text);
  for (const form of base64) {
    yield form;
    yield* percentForms(form);
  }
  yield* base32Forms(text);
  const hex = Buffer.from(text).toString('hex');
  yield hex;
  const octets = [...Buffer.from(text)];
  const inHex = octets.map((octet) => octet.toString(16).padStart(2, '0'));
  // \u0061, \x61 and &#x61;, [97, 98].
  yield inHex.map((digits) => `u00${digits}`).join('');
  yield inHex.map((digits) => `x${digits}`).join('');
  yield octets.join('');
  if (Buffer.byteLength(text) > nestedBytes) return;
  yield* base64Forms(hex);
  for (const form of base64) yield* base64Forms(form);
}

const base32Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648 §6: what stands there for the text alone; five octets make eight characters, so there are five ways to lie. */
function base32Forms(text: string): readonly string[] {
  const octets = Buffer.from(text);
  return [0, 1, 2, 3, 4].map((offset) => {
    let form = '';
    let [bits, count] = [0, 0];
    for (const octet of Buffer.concat([Buffer.alloc(offset), octets])) {
      bits = ((bits << 8) | octet) & 0xfff;
      for (count += 8; count >= 5; count -= 5) form += base32Alphabet[(bits >> (count - 5)) & 31];
    }
    return form.slice(Math.ceil((8 * offset) / 5));
  });
}
