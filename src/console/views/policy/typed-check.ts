// The gateway's check of a draft while it is written.

import { useEffect, useMemo, useState } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { ApiFault, type AdminClient, faultText } from '../../api/admin-client.ts';
import { NewestQuestion } from '../../api/newest-question.ts';
import { isWritten, type PolicyDraft, sentFiles } from '../../model/policy-draft.ts';
import { useDesk } from '../../parts/operator.ts';

export interface TypedCheck {
  readonly checked?: OutputOf<'checkPolicy'>;
  readonly fault?: string;
}

type Files = PolicyDraft['files'];

/** Long enough that a word is written, short enough that its fault is seen before the next line is. */
const settleMs = 600;
/** The gateway reads two policies at a time: who is refused asks once more after this. */
const againMs = 2_000;
/** A larger one is checked when somebody asks: it is sent whole each time. */
const charactersMax = 262_144;

export function useTypedCheck(files: Files): TypedCheck {
  const { client } = useDesk();
  const [told, setTold] = useState<TypedCheck & { readonly files?: Files }>({});
  const question = useMemo(
    () =>
      new NewestQuestion<Files, TypedCheck>({
        ask: (about) => asked(client, about),
        tell: (one, about) => setTold({ ...one, files: about }),
        settle: () => passed(settleMs),
      }),
    [client],
  );
  useEffect(() => () => question.close(), [question]);
  const characters = files.reduce((sum, { text }) => sum + text.length, 0);
  const isAsked = isWritten({ files }) && characters <= charactersMax;
  useEffect(() => {
    if (isAsked) question.put(files);
  }, [question, isAsked, files]);
  if (!isWritten({ files })) return nothing;
  return isAsked ? told : tooLong;
}

const nothing: TypedCheck = {};
const tooLong: TypedCheck = {
  fault: 'It is too long to be checked as it is written. Check the draft says what it is.',
};

async function asked(client: AdminClient, files: Files): Promise<TypedCheck> {
  const body = { files: sentFiles({ files }) };
  const ask = (): Promise<TypedCheck> =>
    client.post('checkPolicy', '/v1/policy/check', body).then((checked) => ({ checked }));
  try {
    return await ask().catch(async (error: unknown) => {
      if (!(error instanceof ApiFault) || (error.status !== 429 && error.status !== 503)) throw error;
      await passed(againMs);
      return await ask();
    });
  } catch (error) {
    return { fault: faultText(error) };
  }
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
