// Words by which other products say what a rule does. Here a rule allows unless it has `deny`.

const denyHint = 'write deny: … in a rule that denies; a rule without it allows';
const allowsHint = 'a rule allows unless it has "deny"';

/** Each with the sentence for a value that stands under it: what is meant follows from the value. */
export const effectWords = new Map(
  ['allow', 'allowed', 'permit', 'accept', 'denied', 'block', 'reject', 'refuse', 'effect', 'action'].map(
    (word) => [word, (value: unknown) => effectMessage(word, value)] as const,
  ),
);

function effectMessage(word: string, value: unknown): string {
  const unknown = `unknown key ${JSON.stringify(word)}`;
  const denies = /^(?:deny|denied|block|reject|refuse|drop)/;
  const permits = /^(?:allow|permit|accept)/;
  const text = String(value).toLowerCase();
  const isSwitch = /^(?:true|false|yes|no|on|off|null)$/.test(text);
  const isOff = /^(?:false|no|off)$/.test(text);
  const isList = Array.isArray(value) || (typeof value === 'string' && text.includes('.'));
  if (isList && permits.test(word)) return `${unknown}; write "hosts"; ${allowsHint}`;
  const meansDeny = isSwitch ? denies.test(word) !== isOff : denies.test(text);
  const meansAllow = isSwitch ? permits.test(word) !== isOff : permits.test(text);
  if (meansDeny && !meansAllow) return `${unknown}; write deny: true`;
  if (meansAllow && !meansDeny) return `${unknown}; leave it out: ${allowsHint}`;
  return `${unknown}; ${denyHint}`;
}

/** For a value of `deny` that is none. */
export function denyError({ input }: { readonly input?: unknown }): string {
  if (input === false) return 'leave deny out: a rule without it allows';
  return 'write deny: true, a reason, or { reason: …, operator: … }';
}
