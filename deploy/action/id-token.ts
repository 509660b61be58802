// The token by which GitHub says which job this is.

import { setTimeout as wait } from 'node:timers/promises';

import { ActionError, command, type Variables } from './runner.ts';

const attemptTimeoutMs = 20_000;
const attemptsMax = 3;
const pauseMs = 500;

/** Asks for a token with that audience, and has the runner hide it in all logs. Throws ActionError. */
export async function requestIdToken(variables: Variables, audience: string): Promise<string> {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url = '', ACTIONS_ID_TOKEN_REQUEST_TOKEN: token = '' } = variables;
  if (url === '' || token === '' || !URL.canParse(url))
    throw new ActionError(
      'the job may not ask for a token that says who it is: give it "permissions: { id-token: write }". A pull request from a fork never gets one.',
    );
  const place = new URL(url);
  place.searchParams.set('audience', audience);
  for (let attempt = 1; ; attempt++) {
    const result = await askOnce(place, token);
    if ('value' in result) {
      process.stdout.write(command('add-mask', result.value));
      return result.value;
    }
    if (!result.isForNow || attempt === attemptsMax)
      throw new ActionError(`GitHub gave no token for this job: ${result.reason}`);
    await wait(pauseMs * attempt);
  }
}

type Asked = { readonly value: string } | { readonly reason: string; readonly isForNow: boolean };

async function askOnce(url: URL, token: string): Promise<Asked> {
  try {
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
      // The token of the request is for this server alone.
      redirect: 'error',
      signal: AbortSignal.timeout(attemptTimeoutMs),
    });
    if (!response.ok) {
      await response.body?.cancel();
      return { reason: `it responded with ${response.status}`, isForNow: response.status >= 500 };
    }
    const { value } = (await response.json()) as { readonly value?: unknown };
    if (typeof value === 'string' && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(value)) return { value };
    return { reason: 'its response has none', isForNow: false };
  } catch (error) {
    const { cause, message } = error as Error;
    return { reason: cause instanceof Error ? cause.message : message, isForNow: true };
  }
}
