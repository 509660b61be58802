// How services of AWS say that keys have ended or are not known any more: with 400 or 403, and a code in a field or in the body.

import type { RefusingResponse } from '../request/injected.ts';

const codes: ReadonlySet<string> = new Set([
  'ExpiredToken',
  'InvalidToken',
  'InvalidClientTokenId',
  'InvalidAccessKeyId',
  'UnrecognizedClient',
]);
/** In XML (S3, query protocols), and in JSON, where a namespace may stand before it. */
const inXml = /<Code>([A-Za-z]{1,64})<\/Code>/;
const inJson = /"(?:__type|code|Code)"[ ]{0,8}:[ ]{0,8}"(?:[a-z0-9.]{1,128}#)?([A-Za-z]{1,64})"/;
const inField = /^([A-Za-z]{1,64})(?:[:,]|$)/;

export function saysKeysEnded({ headers, start }: RefusingResponse): boolean {
  const ofBody = [inXml, inJson].some((form) => isEnd(form.exec(start)?.[1]));
  return ofBody || headers.all('x-amzn-errortype').some((value) => isEnd(inField.exec(value)?.[1]));
}

function isEnd(code: string | undefined): boolean {
  return code !== undefined && codes.has(code.replace(/Exception$/, ''));
}
