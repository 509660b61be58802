// A notice as a message for Slack and what takes the same form. All of it is plain text: nothing that a workload named can mention
// anybody, format anything or become a link.

import { defaultLimits } from '../../protocol/limits.ts';
import type { NoticePlace } from './cloud-event.ts';
import type { Notice, NoticeQuestion } from './notice.ts';

const labels: Readonly<Record<string, string>> = {
  once: 'Allow once',
  session: 'Allow for this session, with any body',
  minutes: 'Allow for 15 minutes, with any body',
  always: 'Allow, and propose a rule',
  deny: 'Deny',
};

/** Its JSON. `canDecide`: buttons are shown, since somebody takes what they say. */
export function slackMessage(
  notice: Notice,
  untold: number,
  { link, canDecide }: Pick<NoticePlace, 'link'> & { readonly canDecide: boolean },
): string {
  const { text, question } = notice;
  const more = untold === 0 ? '' : `\n${untold} more notices were left out.`;
  return JSON.stringify({
    // Shown where blocks are not: in notifications.
    text: escaped(text),
    unfurl_links: false,
    unfurl_media: false,
    blocks: [
      section([text, ...linesOf(notice)].join('\n') + more),
      ...(question === undefined || !canDecide ? [] : [buttons(question)]),
      ...(link === undefined ? [] : [{ type: 'actions', elements: [linkButton(link)] }]),
    ],
  });
}

function linesOf({ facts, question }: Notice): readonly string[] {
  const { sessionId, rule, traceId } = facts;
  return [
    ...(rule === undefined ? [] : [`Rule: ${rule}`]),
    ...(sessionId === undefined ? [] : [`Session: ${sessionId}`]),
    ...(question?.hasQuery === true ? ['The URL has a query, which is not shown here.'] : []),
    ...(question?.bound ?? []).map(({ name, value }) => `${name}: ${value}`),
    ...(question?.heldUntil === undefined ? [] : [`The client waits until ${question.heldUntil}.`]),
    `Trace: ${traceId}`,
  ];
}

function section(text: string): object {
  const { slackSectionCharactersMax } = defaultLimits;
  const shown =
    text.length <= slackSectionCharactersMax ? text : text.slice(0, slackSectionCharactersMax).toWellFormed();
  return { type: 'section', text: { type: 'plain_text', text: shown, emoji: false } };
}

function buttons({ id, choices }: NoticeQuestion): object {
  return {
    type: 'actions',
    block_id: `upstreamproxy_question_${id}`,
    elements: [
      ...choices.map((choice) => decisionButton(id, choice)),
      { ...decisionButton(id, 'deny'), style: 'danger' },
    ],
  };
}

function decisionButton(id: string, decision: string): object {
  return {
    type: 'button',
    action_id: `upstreamproxy_${decision}`,
    text: { type: 'plain_text', text: labels[decision] ?? decision, emoji: false },
    value: `${id} ${decision}`,
  };
}

function linkButton(url: string): object {
  return {
    type: 'button',
    action_id: 'upstreamproxy_open',
    text: { type: 'plain_text', text: 'Open the console', emoji: false },
    url,
  };
}

/** The fallback is read as markup: its three characters are written as Slack asks. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
