import { expect, it } from "vitest";

import { type Answered, type QuestionType, score } from "./questions.js";

function answered(type: QuestionType, correct: boolean, saysYes?: boolean): Answered {
  const base = { id: "a", type, question: "q", truth: "t", answer: "t", correct, nll: 1, tokens: 2 };
  return saysYes === undefined ? base : { ...base, saysYes };
}

it("averages the types that were asked, yes/no as one of them", () => {
  const metrics = score([
    answered("name", true),
    answered("name", false),
    answered("color", true),
    answered("yes", true, true),
    answered("no-random", true, false),
    answered("no-adversarial", false, true),
  ]);
  expect(metrics).toEqual({
    name: 0.5,
    color: 1,
    f1Random: 1,
    f1Adversarial: 2 / 3,
    yesno: 0.75,
    vqa: 0.75,
    nll: 0.5,
  });
});

it("gives a model that always says yes half of the yes/no score", () => {
  const metrics = score([answered("yes", true, true), answered("no-random", false, true)]);
  expect(metrics["yesno"]).toBe(0.5);
});

it("has no metrics for no questions", () => {
  expect(score([])).toEqual({});
});
