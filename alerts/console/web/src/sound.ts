// The alarm. Browsers let a page sound only after somebody has asked for it.

import { signal } from "@preact/signals";
import type { Severity } from "./api.ts";

export const soundOn = signal(false);

/** How often an alarm that nobody has acknowledged sounds again, milliseconds. */
const EVERY: Record<Severity, number> = { critical: 3_500, warning: 15_000, info: 60_000 };

interface Tone {
  readonly hertz: number;
  readonly at: number;
  readonly long: number;
  readonly shape: OscillatorType;
}

const TONES: Record<Severity, readonly Tone[]> = {
  critical: [0, 0.22, 0.44].flatMap((at): Tone[] => [
    { hertz: 988, at, long: 0.1, shape: "square" },
    { hertz: 740, at: at + 0.11, long: 0.1, shape: "square" },
  ]),
  warning: [
    { hertz: 660, at: 0, long: 0.18, shape: "sine" },
    { hertz: 523, at: 0.2, long: 0.3, shape: "sine" },
  ],
  info: [{ hertz: 523, at: 0, long: 0.2, shape: "sine" }],
};

let audio: AudioContext | null = null;
let sounding: Severity | null = null;
let timer = 0;

function play(severity: Severity): void {
  if (!audio || !soundOn.value) return;
  for (const { hertz, at, long, shape } of TONES[severity]) {
    const begin = audio.currentTime + at;
    const oscillator = new OscillatorNode(audio, { type: shape, frequency: hertz });
    const gain = new GainNode(audio, { gain: 0 });
    gain.gain.setValueAtTime(0, begin);
    gain.gain.linearRampToValueAtTime(shape === "square" ? 0.08 : 0.2, begin + 0.01);
    gain.gain.setTargetAtTime(0, begin + long, 0.03);
    oscillator.connect(gain).connect(audio.destination);
    oscillator.start(begin);
    oscillator.stop(begin + long + 0.3);
  }
}

/** Sound for what nobody has acknowledged; null: be quiet. Called often. */
export function alarm(severity: Severity | null): void {
  if (severity === sounding) return;
  sounding = severity;
  clearInterval(timer);
  document.documentElement.dataset["alarm"] = severity ?? "none";
  if (severity === null) return;
  play(severity);
  timer = window.setInterval(() => play(severity), EVERY[severity]);
}

/** Only in answer to a press: the browser wants it so. */
export async function toggleSound(): Promise<void> {
  if (soundOn.value) {
    soundOn.value = false;
    await audio?.suspend();
    return;
  }
  audio ??= new AudioContext();
  await audio.resume();
  soundOn.value = true;
  // A sound at once shows that it works, and what is open is heard.
  play(sounding ?? "info");
}
