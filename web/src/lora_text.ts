// A LoRA as requests name it: "style:0.8", or "transformer_2=style:0.8" for one part of the model alone.
export interface ChosenLora {
  name: string;
  part: string; // of PARTS; '': every part that it has something for
  weight: number | null; // null: 1
}

const PARTS = ['unet', 'transformer', 'transformer_2', 'text_encoder', 'text_encoder_2'];

export function loraText({ name, part, weight }: ChosenLora): string {
  return `${part === '' ? '' : `${part}=`}${name}:${weight ?? 1}`;
}

export function loraOf(text: string): ChosenLora {
  const equals = text.indexOf('=');
  const part = PARTS.includes(text.slice(0, Math.max(0, equals))) ? text.slice(0, equals) : '';
  const rest = part === '' ? text : text.slice(equals + 1);
  const colon = rest.lastIndexOf(':');
  const weight = colon < 0 || rest.slice(colon + 1).trim() === '' ? NaN : Number(rest.slice(colon + 1));
  return Number.isFinite(weight) ? { name: rest.slice(0, colon), part, weight } : { name: rest, part, weight: null };
}
