// What a rule had kept of the bodies. They are asked for by an act of their own, because who looks is written into the audit; and whatever
// their type is, they are text here, or octets.

import { type ReactElement, useState } from 'react';
import { coversRole } from '../../../api/admin/roles.ts';
import type { OutputOf } from '../../../api/admin/routes.ts';
import type { AuditEvent } from '../../../api/audit-event.ts';
import { recordingText } from '../../../api/recording-text.ts';
import { faultText, segment } from '../../api/admin-client.ts';
import { bodyText } from '../../model/body-text.ts';
import { bytesText, plural } from '../../model/display.ts';
import { Clean } from '../../parts/clean.tsx';
import { useDesk } from '../../parts/operator.ts';

type Bodies = OutputOf<'exchangeBodies'>;
type Body = NonNullable<Bodies['request']>;

export function BodiesSection({ event }: { readonly event: AuditEvent }): ReactElement | null {
  const { client, who } = useDesk();
  const [told, setTold] = useState<{ readonly bodies?: Bodies; readonly fault?: string }>({});
  const { captured, id } = event;
  if (captured === undefined) return null;
  const may = coversRole(who.role, 'operator');
  const show = (): void => {
    client.get('exchangeBodies', `/v1/exchanges/${segment(id)}/bodies`).then(
      (bodies) => setTold({ bodies }),
      (error: unknown) => setTold({ fault: faultText(error) }),
    );
  };
  return (
    <section className="sec" aria-label="Bodies">
      <div className="sech">
        <h2>{captured.recording === undefined ? 'Bodies' : 'Shell'}</h2>
        <span className="sub">{keptText(captured)}</span>
      </div>
      {told.bodies !== undefined || captured.dropped === true ? null : (
        <div className="acts">
          <button
            type="button"
            className="btn"
            disabled={!may}
            title={may ? undefined : 'This needs the role operator'}
            onClick={show}
          >
            {captured.recording === undefined ? 'Show the bodies' : 'Show the shell'}
          </button>
          <span className="m2">{may ? 'the audit will say that you looked' : 'needs the role operator'}</span>
        </div>
      )}
      {told.fault === undefined ? null : (
        <p className="fault after" role="alert">
          <Clean text={told.fault} max={400} />
        </p>
      )}
      <OneBody name="Request" body={told.bodies?.request} />
      <OneBody name="Response" body={told.bodies?.response} />
      <Recording recording={told.bodies?.recording} />
    </section>
  );
}

/** As text: to replay it would be to let it draw. */
function Recording({ recording }: { readonly recording: Bodies['recording'] }): ReactElement | null {
  if (recording === undefined) return null;
  const { cast, bytes, whole, next } = recording;
  const { text, leftOut } = bodyText(recordingText(cast));
  return (
    <>
      <p className="m2">
        {bytesText(bytes)}
        {whole ? '' : ', cut off'}
      </p>
      <pre className="told body" tabIndex={0} aria-label="The shell">
        {text}
      </pre>
      {leftOut === 0 && next === undefined ? null : (
        <p className="m">There is more: the command audit body has all of it.</p>
      )}
    </>
  );
}

function keptText({ request, response, recording, dropped }: NonNullable<AuditEvent['captured']>): string {
  if (dropped === true) return 'not kept: there was no room';
  const parts = [
    ...(request === undefined ? [] : [`request ${bytesText(request)}`]),
    ...(response === undefined ? [] : [`response ${bytesText(response)}`]),
    ...(recording === undefined ? [] : [`shell ${bytesText(recording)}`]),
  ];
  return `kept: ${parts.join(', ')}`;
}

function OneBody({
  name,
  body,
}: {
  readonly name: string;
  readonly body: Body | undefined;
}): ReactElement | null {
  if (body === undefined) return null;
  const { type = 'no type', coding, bytes, whole, redacted, text, base64, note } = body;
  const { text: shown, leftOut } = bodyText(text ?? base64 ?? '');
  const label = name === 'Request' ? 'The request' : 'The response';
  return (
    <>
      <h3>{name}</h3>
      <p className="m2">
        <Clean text={type} max={120} />
        {coding === undefined ? null : (
          <>
            , <Clean text={coding} max={60} />
          </>
        )}
        , {bytesText(bytes)}
        {whole ? '' : ', cut off'}
        {redacted === 0 ? '' : `, ${plural(redacted, 'value', 'values')} left out`}
        {text === undefined && bytes > 0 ? ', in base64' : ''}
      </p>
      {note === undefined ? null : (
        <p className="m2">
          <Clean text={note} max={300} />
        </p>
      )}
      {shown === '' ? null : (
        <pre className="told body" tabIndex={0} aria-label={label}>
          {shown}
        </pre>
      )}
      {leftOut === 0 ? null : <p className="m">{plural(leftOut, 'line', 'lines')} more</p>}
    </>
  );
}
