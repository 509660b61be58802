// Who wrote, committed or tagged something, as a line of git says it: `NAME <E-MAIL> SECONDS ZONE`.

export interface GitIdentity {
  readonly name: string;
  readonly email: string;
}

const lineForm = /^([^<>]+) <([^<>]+)> (0|[1-9][0-9]{0,10}) [+-](?:0[0-9]|1[0-4])[0-5][0-9]$/;
/** Characters that cannot be seen, or that look like a blank; U+2800 is a sign of Braille without dots. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|[^\S ]/u;
/** One address, without what has a meaning around it (RFC 5322). */
const emailForm = /^[^\s"(),:;<>@[\\\]]+(?:@[^\s"(),:;<>@[\\\]]+)?$/;
const lengthMax = 200;

/**
 * @param line one character an octet
 * @param isUtf8 whether octets beyond ASCII are known to be UTF-8; else there may be none
 * @returns text says why it is none, behind "its author"
 */
export function readIdentity(line: string, isUtf8: boolean): GitIdentity | string {
  const [, nameOctets, emailOctets] = lineForm.exec(line) ?? [];
  if (nameOctets === undefined || emailOctets === undefined)
    return 'is not of the form NAME <E-MAIL> SECONDS ZONE';
  if (nameOctets.length > lengthMax || emailOctets.length > lengthMax)
    return `has more than ${String(lengthMax)} octets`;
  const [name, email] = isUtf8
    ? [utf8(nameOctets), utf8(emailOctets)]
    : [ascii(nameOctets), ascii(emailOctets)];
  if (name === undefined || email === undefined)
    return isUtf8 ? 'is not in UTF-8' : 'is not in ASCII, and the encoding of the commit is not UTF-8';
  if (name.trim() !== name || unseen.test(name) || unseen.test(email))
    return 'has characters that cannot be seen';
  if (!emailForm.test(email)) return 'has an e-mail address that is not one address';
  return { name, email };
}

/** `NAME <E-MAIL>` */
export function identityText({ name, email }: GitIdentity): string {
  return `${name} <${email}>`;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8(octets: string): string | undefined {
  try {
    return decoder.decode(Uint8Array.from(octets, (one) => one.charCodeAt(0)));
  } catch {
    return undefined;
  }
}

function ascii(octets: string): string | undefined {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return /^[\u0000-\u007f]*$/.test(octets) ? octets : undefined;
}
