// The name of a principal: whose sessions may share what, so that no two may have one.

/**
 * `issuer|subject`. A bar in the issuer is written as `%7C`, and so a percent sign as `%25`: the first bar is the one between them,
 * and no two pairs give one name.
 */
export function principalIdOf(issuer: string, subject: string): string {
  return `${issuer.replaceAll('%', '%25').replaceAll('|', '%7C')}|${subject}`;
}
