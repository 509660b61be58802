// Commits and tags as git writes them, and as others might, by a seed: pieces that are put together and changed in a few places.

/** A whole number below `max`. */
export type RandomNumber = (max: number) => number;

/** Of a tree and two commits. */
export interface ObjectIds {
  readonly id: string;
  readonly other: string;
  readonly third: string;
}

const noObjects: ObjectIds = { id: 'ab12'.repeat(10), other: 'cd34'.repeat(10), third: 'ef56'.repeat(10) };
const identities = [
  'Build Agent <agent@example.com> 1700000000 +0100',
  'Zoë Ågren <zoe@example.com> 1700000000 -0330',
  'A <a@b> 0 +0000',
  'A. B. "C" <a+b@example.com> 1 +1400',
  'A <> 1 +0000',
  'A <a@b> <c@d> 1 +0000',
  ' A <a@b> 1 +0000',
  'A <a@b>1 +0000',
  'A <a@b> 01 +0000',
  'A <a@b> 99999999999999999999 +0000',
  'A <a@b> 1 +00000',
  'A\u200b <a@b> 1 +0000',
  '<a@b> 1 +0000',
  '',
];
const headersOf = ({ id, other, third }: ObjectIds): readonly string[] => [
  `tree ${id}`,
  `parent ${other}`,
  `parent ${third}`,
  'encoding UTF-8',
  'encoding ISO-8859-1',
  'encoding UTF-7',
  `mergetag object ${other}\n type commit\n tag v\n tagger A <a@b> 1 +0000\n \n merged`,
  'gpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----',
  'HG:extra x',
  'type commit',
  'type tree',
  'tag v1.0',
  'tag v1/../x',
  'tag -x',
  ' folded',
];
const messages = [
  '',
  'A message.\n',
  'No end',
  '\n\nBlank\n',
  '-----BEGIN SSH SIGNATURE-----\nAAAA\n',
  'Zwölf\n',
];

/** As octets: most of it in UTF-8. */
export function generatedObject(random: RandomNumber, ids: ObjectIds = noObjects): Buffer {
  const { id, other } = ids;
  const headers = headersOf(ids);
  const pick = <T>(list: readonly T[]): T =>
    list[random(random(3) === 0 ? list.length : Math.min(3, list.length))] as T;
  const isTag = random(3) === 0;
  const lines = isTag
    ? [`object ${other}`, 'type commit', 'tag v1.0', `tagger ${pick(identities)}`]
    : [
        `tree ${id}`,
        ...(random(2) === 0 ? [`parent ${other}`] : []),
        `author ${pick(identities)}`,
        `committer ${pick(identities)}`,
        ...(random(4) === 0 ? [headers[3 + random(4)] as string] : []),
      ];
  if (random(3) === 0)
    lines.splice(random(lines.length + 1), random(2), headers[random(headers.length)] as string);
  if (random(8) === 0) lines.reverse();
  const bytes = Buffer.from(`${lines.join('\n')}\n\n${pick(messages)}`);
  for (let edits = random(8) === 0 ? 1 + random(2) : 0; edits > 0; edits -= 1)
    bytes[random(bytes.length)] = random(4) === 0 ? (random(2) === 0 ? 10 : 0) : random(256);
  return bytes;
}
